// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A configKey follows a property.
type configKey func(p *configParser)

// configKeys is the table of the keys that are known by their whole names.
var configKeys = map[string]configKey{
	"clientPort":                 func(p *configParser) { p.port = strconv.FormatInt(p.number(0, math.MaxUint16), 10) },
	"clientPortAddress":          func(p *configParser) { p.host = strings.Trim(p.value, "[]") },
	"dataDir":                    func(p *configParser) { p.config.Options.DataDir = p.value },
	"nio.sessionlessCnxnTimeout": millis(1, func(o *Options) *time.Duration { return &o.HandshakeTimeout }),
	"ensembleAuthName":           func(p *configParser) { p.names = p.property },
	"tickTime":                   millis(1, func(o *Options) *time.Duration { return &o.TickTime }),
	"minSessionTimeout":          timeout(func(o *Options) *time.Duration { return &o.MinSessionTimeout }),
	"maxSessionTimeout":          timeout(func(o *Options) *time.Duration { return &o.MaxSessionTimeout }),
	"maxClientCnxns":             count(func(o *Options) *int { return &o.MaxConnectionsPerHost }),
	"maxCnxns":                   count(func(o *Options) *int { return &o.MaxConnections }),
	"globalOutstandingLimit": func(p *configParser) {
		p.config.Options.MaxOutstanding = int(p.number(1, math.MaxInt32))
	},
	"jute.maxbuffer": func(p *configParser) {
		p.config.Options.MaxPacketBytes = int(p.number(minPacketBytes, math.MaxInt32/2))
	},
	"snapCount": func(p *configParser) {
		p.config.Options.Store.SnapshotRecords = int(p.number(1, math.MaxInt32))
	},
	"4lw.commands.whitelist":                   parseWhitelist,
	"extendedTypesEnabled":                     flag(func(o *Options) *bool { return &o.ExtendedTypes }),
	"enforceQuota":                             flag(func(o *Options) *bool { return &o.EnforceQuota }),
	"reconfigEnabled":                          flag(func(o *Options) *bool { return &o.ReconfigEnabled }),
	"skipACL":                                  flag(func(o *Options) *bool { return &o.SkipACL }),
	"DigestAuthenticationProvider.enabled":     parseDigestEnabled,
	"rollcall.snapshotBytes":                   fileBytes(func(o *Options) *int64 { return &o.Store.SnapshotBytes }),
	"rollcall.segmentBytes":                    fileBytes(func(o *Options) *int64 { return &o.Store.SegmentBytes }),
	"DigestAuthenticationProvider.superDigest": parseSuperDigest,
	"DigestAuthenticationProvider.digestAlg":   parseDigestAlg,
	"znode.container.checkIntervalMs":          millis(1, func(o *Options) *time.Duration { return &o.ContainerCheckInterval }),
	"znode.container.maxNeverUsedIntervalMs":   millis(0, func(o *Options) *time.Duration { return &o.ContainerMaxNeverUsed }),
	"znode.container.maxPerMinute": func(p *configParser) {
		p.config.Options.ContainerMaxPerMinute = int(p.number(1, math.MaxInt32))
	},

	"secureClientPort":             refuse("TLS is not built in: remove the line, and put a TLS proxy in front if clients need it"),
	"secureClientPortAddress":      refuse("TLS is not built in: remove the line, and put a TLS proxy in front if clients need it"),
	"client.portUnification":       unless("false", "TLS is not built in: remove the line, and put a TLS proxy in front if clients need it"),
	"dynamicConfigFile":            refuse("it names the members of an ensemble, and this server is always alone: run Apache ZooKeeper for an ensemble, or remove the line"),
	"requireClientAuthScheme":      refuse("clients cannot be made to authenticate here: remove the line and guard nodes by their ACL"),
	"sessionRequireClientSASLAuth": unless("false", "clients cannot be made to authenticate here: remove the line and guard nodes by their ACL"),
	"enforce.auth.enabled":         unless("false", "clients cannot be made to authenticate here: remove the line and guard nodes by their ACL"),

	"datadir.autocreate": unless("true", "a data directory that is missing is made: remove the line, and see that the disk is there before the registry starts"),

	"dataLogDir":                    ignore("the log is kept with the rest, in dataDir"),
	"forceSync":                     ignore("everything is synced before it is answered, always"),
	"clientPortListenBacklog":       ignore("the system's default is used"),
	"preAllocSize":                  ignore("the log is filled with zeros ahead, 512 KiB at a time"),
	"snapSizeLimitInKb":             ignore("rollcall.snapshotBytes says after how much log a snapshot is written"),
	"fsync.warningthresholdms":      ignore("a sync of more than 1 s is warned of"),
	"initLimit":                     ignore(forEnsembles),
	"syncLimit":                     ignore(forEnsembles),
	"connectToLearnerMasterLimit":   ignore(forEnsembles),
	"electionAlg":                   ignore(forEnsembles),
	"electionPortBindRetry":         ignore(forEnsembles),
	"peerType":                      ignore(forEnsembles),
	"leaderServes":                  ignore(forEnsembles),
	"standaloneEnabled":             ignore(forEnsembles),
	"localSessionsEnabled":          ignore(forEnsembles),
	"localSessionsUpgradingEnabled": ignore(forEnsembles),
	"readonlymode.enabled":          ignore(forEnsembles),
	"quorumListenOnAllIPs":          ignore(forEnsembles),
}

// ignoredKeys are further keys that change nothing, by the reason.
var ignoredKeys = []struct {
	why  string
	keys []string
}{
	{forEnsembles, []string{
		"commitLogCount", "syncEnabled", "maxConcurrentSnapSyncs", "maxConcurrentDiffSyncs", "maxTimeToWaitForEpoch",
		"cnxTimeout", "quorumCnxnTimeoutMs", "tcpKeepAlive", "sslQuorum", "portUnification", "snapshot.trust.empty", "db.autocreate",
	}},
	{"connections and what they ask are bounded, see maxCnxns, maxClientCnxns and globalOutstandingLimit, but not slowed down", []string{
		"connectionMaxTokens", "connectionTokenFillTime", "connectionTokenFillCount", "connectionFreezeTime",
		"connectionDropIncrease", "connectionDropDecrease", "connectionDecreaseRatio",
		"requestThrottleLimit", "requestThrottleStallTime", "requestThrottleDropStale",
		"requestStaleLatencyCheck", "requestStaleConnectionCheck", "throttledOpWaitTime",
		"largeRequestMaxBytes", "largeRequestThreshold",
	}},
	{"it tunes what is built otherwise here", []string{
		"txnLogSizeLimitInKb", "maxResponseCacheSize", "maxGetChildrenResponseCacheSize",
		"flushDelay", "maxWriteQueuePollTime", "maxBatchSize", "serverCnxnFactory", "advancedFlowControlEnabled",
		"watchManagerName", "watcherCleanThreadsNum", "watcherCleanThreshold", "watcherCleanIntervalInSeconds",
		"maxInProcessingDeadWatchers", "bitHashCacheSize", "jute.maxbuffer.extrasize", "emulate353TTLNodes",
	}},
	{"nobody authenticates by SASL or by a certificate here", []string{
		"superUser", "X509AuthenticationProvider.superUser", "allowSaslFailedClients", "enforce.auth.schemes",
	}},
	{"TCP keepalive is always on", []string{"clientTcpKeepAlive"}},
	{"permissions are checked when the turn of a write comes", []string{"enableEagerACLCheck"}},
	{"what is on the disk has checksums, always", []string{"digest.enabled"}},
}

const forEnsembles = "it concerns ensembles, and this server is always alone"

// configGroups are the keys that are known by how they begin.
var configGroups = []struct {
	prefix string
	apply  configKey
}{
	{"server.", func(p *configParser) { p.servers = append(p.servers, p.property) }},
	{"group.", ignore(forEnsembles)},
	{"weight.", ignore(forEnsembles)},
	{"observer", ignore(forEnsembles)},
	{"leader.", ignore(forEnsembles)},
	{"learner.", ignore(forEnsembles)},
	{"fastleader.", ignore(forEnsembles)},
	{"multiAddress.", ignore(forEnsembles)},
	{"messageTracker.", ignore(forEnsembles)},
	{"commitProcessor.", ignore(forEnsembles)},
	{"nio.num", ignore("the Go runtime decides how many threads there are")},
	{"netty.", ignore("Netty is not built in")},
	{"kerberos.", ignore("nobody authenticates by SASL here")},
	{"audit.", ignore("there is no audit log")},
	{"quorum.", ignore(forEnsembles)},
	{"autopurge.", ignore("what is not needed any more is removed at once")},
	{"admin.", ignore("there is no admin server: use the four-letter words")},
	{"metricsProvider.", ignore("there is no metrics provider: use the four-letter word mntr")},
	{"ssl.", ignore("TLS is not built in")},
	{"authProvider.", parseProvider},
}

// ignore warns that a key has no effect.
func ignore(why string) configKey {
	return func(p *configParser) { p.warn(why + ": it has no effect") }
}

// refuse is for keys whose wish must not be passed over.
func refuse(fix string) configKey {
	return func(p *configParser) { p.failf("%s", fix) }
}

// unless refuses every value but one.
func unless(value, fix string) configKey {
	return func(p *configParser) {
		if p.value != value {
			p.failf("%s", fix)
		}
	}
}

// number reads a whole number, 0x in front of a hexadecimal one.
func (p *configParser) number(least, most int64) int64 {
	digits, base := p.value, 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil || n < least || n > most {
		p.failf("want a whole number from %d to %d", least, most)
		return least
	}
	return n
}

// millis sets a duration.
func millis(least int64, field func(o *Options) *time.Duration) configKey {
	return func(p *configParser) {
		*field(&p.config.Options) = time.Duration(p.number(least, math.MaxInt32)) * time.Millisecond
	}
}

// fileBytes sets a number of bytes of the files in the data directory.
func fileBytes(field func(o *Options) *int64) configKey {
	return func(p *configParser) { *field(&p.config.Options) = p.number(MinFileBytes, math.MaxInt64) }
}

// timeout is millis with -1 for the default.
func timeout(field func(o *Options) *time.Duration) configKey {
	set := millis(1, field)
	return func(p *configParser) {
		if p.value != "-1" {
			set(p)
		}
	}
}

// flag sets a bool, which in ZooKeeper is true or yes.
func flag(field func(o *Options) *bool) configKey {
	return func(p *configParser) {
		switch strings.ToLower(p.value) {
		case "true", "yes":
			*field(&p.config.Options) = true
		case "false", "no":
		default:
			p.failf("want true or false")
		}
	}
}

// count sets a number of connections, of which 0 is unlimited.
func count(field func(o *Options) *int) configKey {
	return func(p *configParser) {
		n := int(p.number(0, math.MaxInt32))
		if n == 0 {
			n = -1
		}
		*field(&p.config.Options) = n
	}
}

func parseWhitelist(p *configParser) {
	list := []string{}
	for w := range strings.SplitSeq(p.value, ",") {
		switch w = strings.TrimSpace(w); {
		case w == "":
		case w == "*" || isWord(w):
			list = append(list, w)
		default:
			p.warn("there is no " + strconv.Quote(w) + " here, only " + strings.Join(allWords(), ", "))
		}
	}
	p.config.Options.FourLetterWords = list
}

func parseSuperDigest(p *configParser) {
	user, hash, ok := strings.Cut(p.value, ":")
	if !ok || user == "" || hash == "" {
		p.failf("want user:base64(hash(user:password))")
	}
	p.config.Options.SuperDigest = p.value
}

// parseDigestEnabled does as Java does: what is not true is false.
func parseDigestEnabled(p *configParser) {
	p.config.Options.DigestDisabled = !strings.EqualFold(p.value, "true")
}

func parseDigestAlg(p *configParser) {
	p.config.Options.DigestAlgorithm = DigestAlgorithm(p.value)
	if p.config.Options.DigestAlgorithm.sum() == nil {
		p.failf("want %s", digestNames)
	}
}

// ensembleProvider is the class of the one scheme that has to be named to be there.
const ensembleProvider = "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider"

func parseProvider(p *configParser) {
	if p.value == ensembleProvider {
		p.ensembles = true
		return
	}
	p.warn("the schemes are world, auth, digest, ip and ensemble: entries of others are refused when they are set: it has no effect")
}
