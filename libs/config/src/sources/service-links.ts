/**
 * Returns true for a variable that Kubernetes or Docker's links added. For a Service named `orders`
 * every pod of the namespace gets ORDERS_SERVICE_HOST, ORDERS_PORT=tcp://10.0.0.7:50052 and more.
 * Under the prefix of that service they would count as typos, or even as its port.
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (/_(PORT|TCP|UDP|SCTP)$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}
