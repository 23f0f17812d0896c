/**
 * Milliseconds of silence before TCP asks whether the other end is still there, where nothing else would tell: short enough
 * to notice one that vanished before NAT tables and load balancers forget the connection.
 */
export const keepAliveProbeMs = 30_000
