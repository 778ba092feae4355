import { ServiceProcess } from "@plumbline/tools-engines";

/** Starts a control plane in a process of its own. */
export function startProcess(port: number, settings: Readonly<Record<string, string>>): ServiceProcess {
  return new ServiceProcess("control-plane", {
    CONTROL_PLANE_RPC_HOST: "127.0.0.1",
    CONTROL_PLANE_RPC_PORT: String(port),
    CONTROL_PLANE_OPS_HOST: "127.0.0.1",
    CONTROL_PLANE_OPS_PORT: "0",
    ...settings,
  });
}
