export { type ApiProxy, type ApiServer, proxyToApi } from "./api-proxy.ts";
export { type Authority, type CertificateRequest, type Certified, newAuthority } from "./certificates.ts";
export { checkPostgres } from "./check-postgres.ts";
export type { ConsulAgent, ConsulOptions } from "./consul/agent.ts";
export {
  startTemporaryConsul,
  type TestConsul,
  testConsul,
  whyNoConsul,
  whyNoConsulAgent,
} from "./consul/test-consul.ts";
export { hasContainer } from "./containers/available.ts";
export {
  type SaslKafka,
  saslUser,
  startSaslKafka,
  startTlsKafka,
  type TlsKafka,
  whyNoSaslKafka,
} from "./containers/kafka.ts";
export { createDatabase, type DatabaseOptions } from "./create-database.ts";
export { EngineError, type EngineErrorCode } from "./engine-error.ts";
export type { EnvoyOptions } from "./envoy/bootstrap.ts";
export { startTestEnvoy, type TestEnvoy, whyNoEnvoy } from "./envoy/test-envoy.ts";
export { type EtcdCluster, startEtcdCluster } from "./etcd/cluster.ts";
export type { EtcdOptions, EtcdServer, EtcdTls } from "./etcd/server.ts";
export {
  type EtcdProgram,
  findEtcd,
  howToGetEtcd,
  putMissing,
  type StackEtcd,
  startStackEtcd,
} from "./etcd/stack-etcd.ts";
export { startTemporaryEtcd, type TestEtcd, testEtcd, whyNoEtcd, whyNoEtcdServer } from "./etcd/test-etcd.ts";
export { eventually } from "./eventually.ts";
export { freePort, freePorts } from "./free-ports.ts";
export { javaProblem, mavenProblem } from "./kafka/java.ts";
export { type KafkaBroker, type KafkaOptions, startKafka } from "./kafka/start-kafka.ts";
export { startTemporaryKafka, testKafka, whyNoKafka } from "./kafka/test-kafka.ts";
export { createRole, type LoginRole } from "./login-role.ts";
export { type Direction, type Proxy, proxyTo } from "./proxy.ts";
export { type TestRedis, testRedis, whyNoRedis } from "./redis/test-redis.ts";
export { type Login, openRotatingRoles, type RotatingRoles, type Rotation, rotateAndLock } from "./rotating-roles.ts";
export {
  type Exit,
  type ListeningService,
  type LogLine,
  type ProgramOptions,
  runService,
  ServiceProcess,
  startService,
} from "./service-process.ts";
export { type PostgresOptions, type PostgresServer, startPostgres } from "./start-postgres.ts";
export { runInCluster, whyNoCluster } from "./test-cluster.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
export { startTestEngines, type TestEngines } from "./test-engines.ts";
export { type TlsFront, type TlsFrontOptions, type TlsPair, tlsFrontOf } from "./tls-front.ts";
