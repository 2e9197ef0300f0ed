/**
 * List prices of us-east-1 in US dollars, without free tiers and taxes, as of the middle of 2025; telemetry's of 2026.
 */
export const prices = {
  fargateArmVcpuHour: 0.03238,
  fargateArmGibHour: 0.00356,
  /** What Spot costs of that, at best: it changes with supply. https://aws.amazon.com/fargate/pricing/ */
  fargateSpotPart: 0.3,
  loadBalancerHour: 0.0225,
  loadBalancerCapacityUnitHour: 0.008,
  publicIpv4Hour: 0.005,
  interfaceEndpointHour: 0.01,
  natGatewayHour: 0.045,
  natGatewayGigabyte: 0.045,
  alarmMetricMonth: 0.1,
  customMetricMonth: 0.3,
  dashboardMonth: 3,
  secretMonth: 0.4,
  dynamoMillionWriteUnits: 0.625,
  dynamoMillionReadUnits: 0.125,
  /** Of stored items, backups for any point in time included. */
  dynamoGigabyteMonth: 0.45,
  logGigabyte: 0.5,
  sentGigabyte: 0.09,
  /** From one region to another. https://aws.amazon.com/ec2/pricing/on-demand/ */
  betweenRegionsGigabyte: 0.02,
  edgeMillionRequests: 1,
  /** Of Lambda functions: requests, and GB-seconds on ARM, CPU included. https://aws.amazon.com/lambda/pricing/ */
  lambdaMillionRequests: 0.2,
  lambdaGbSecond: 0.0000133334,
  /**
   * Of AgentCore Runtime, which is paid for by active CPU and by memory as long as a session lives. As of 2026.
   * https://aws.amazon.com/bedrock/agentcore/pricing/
   */
  activeVcpuHour: 0.0895,
  sessionGbHour: 0.00945,
  /** A web ACL of AWS WAF, and its one rule. */
  firewallMonth: 6,
  firewallMillionRequests: 0.6,
  /** Metrics that come by OTLP. */
  metricGigabyte: 0.5,
  /** Spans that come by OTLP, where Transaction Search is enabled. */
  spanGigabyte: 0.5,
  /** Traces that come as segments of X-Ray. */
  millionTraces: 5,
};

export const monthHours = 730;

/** A line of the access log behind a load balancer: 300 bytes in a rehearsal, and 26 that CloudWatch adds. */
export const logLineBytes = 326;

/** A write in a transaction, of up to 1 KB. */
export const writtenItemUnits = 2;

/** A sign-up with e-mail and request_id writes four items. */
export const signUpWriteUnits = 4 * writtenItemUnits;

/**
 * The index has an item of each name. It is written after the transaction, for a unit; a new name is another item
 * there, so that a rename writes two.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
 */
export const indexWriteUnits = 1;

/** A small call in both directions, headers included. */
export const callWireBytes = 1000;

/** A look-up is one consistent read of under 4 KB for each user. */
export const lookUpReadUnits = 1;

/** What the four items of a sign-up take in the table, 100 bytes each that DynamoDB adds included. */
export const signUpStoredBytes = 1000;

/** The same of its name in the index. */
export const indexedBytes = 200;
