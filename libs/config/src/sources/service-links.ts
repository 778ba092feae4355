/**
 * Whether a variable was put there by Kubernetes (or Docker's links) rather than by anyone who meant us. For a Service
 * named `orders` every pod of the namespace gets ORDERS_SERVICE_HOST, ORDERS_PORT=tcp://10.0.0.7:50052 and more: under a
 * service's own prefix these would be typos at best, and its port at worst.
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (/_(PORT|TCP|UDP|SCTP)$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}
