//! The patterns that everybody needs: what programs, kernels and databases say when something is wrong.
//!
//! The words are those of their sources, not of labelled logs: the descriptions and names of POSIX error numbers and
//! signals (errno.h, signal.h, strerror of glibc); messages of the Linux kernel (oom_kill.c, hung_task.c, blk-core.c,
//! ext4, EDAC, lockdep) and of systemd; reasons of events in Kubernetes (pkg/kubelet/events, the API reference); SQLSTATE
//! conditions and the messages of PostgreSQL, MySQL, SQLite and Redis; the alerts of TLS (RFC 8446, section 6) with the
//! messages of OpenSSL, Go and Java; reason phrases of HTTP (RFC 9110) and status codes of gRPC; the responses of DNS
//! (RFC 1035) and getaddrinfo (RFC 3493); OpenSSH and PAM; and the runtimes of Java, Python, Go, Rust, Node.js and C.
//! `examples.txt` has lines that each has to find, and lines that it must not.

use super::{Pattern, PatternName, When, Words};
use crate::plain::nearest;
use crate::verdict::Severity;

/// A pattern of the library.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    description: &'static str,
    severity: Severity,
    pub(super) regex: &'static str,
}

/// The pattern of this name.
pub(super) fn named(name: &str) -> Option<&'static Entry> {
    LIBRARY.iter().find(|entry| entry.name == name)
}

/// Whether this is the expression of one of them.
pub(super) fn is_of_library(regex: &str) -> bool {
    LIBRARY.iter().any(|entry| entry.regex == regex)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LIBRARY.iter().map(|entry| entry.name)
}

/// Which of these names were probably meant, as a question that ends in a blank; empty where none is near: the one that is
/// a slip or two away, or those that have a word in common.
pub(super) fn meant(name: &str, known: &[&str]) -> String {
    const MOST_MEANT: usize = 3;
    let lower = name.to_lowercase();
    let is_in_common = |known: &&&str| {
        let mut words = lower.split(|letter: char| !letter.is_alphanumeric());
        words.any(|word| word.len() > 2 && known.split('-').any(|other| other == word))
    };
    let near: Vec<&str> = match nearest(name, known) {
        Some(near) => vec![near],
        None => known.iter().filter(is_in_common).take(MOST_MEANT).copied().collect(),
    };
    match near.as_slice() {
        [] => String::new(),
        near => format!("did you mean `{}`? ", near.join("` or `")),
    }
}

/// All of them. They alarm nobody: they name what a line is.
pub(super) fn patterns() -> impl Iterator<Item = Pattern> {
    LIBRARY.iter().filter_map(|entry| {
        Some(Pattern {
            name: PatternName::try_from(entry.name.to_owned()).ok()?,
            description: Words::from(entry.description),
            severity: entry.severity,
            alarm: false,
            service: None,
            level: None,
            when: When::Regex(entry.regex.to_owned()),
        })
    })
}

const fn entry(name: &'static str, severity: Severity, description: &'static str, regex: &'static str) -> Entry {
    Entry {
        name,
        description,
        severity,
        regex,
    }
}

/// All of them are texts and nothing else, which the filter finds by itself; each has six bytes or more, so that the
/// filter can look at every third byte.
const LIBRARY: [Entry; 35] = [
    entry(
        "out-of-memory",
        Severity::Critical,
        "Memory ran out, or a process was killed for it",
        r"(?i)out of memory|outofmemory|oom-kill|oomkilled|cannot allocate memory|enomem|std::bad_alloc|memoryerror",
    ),
    entry(
        "segfault",
        Severity::Critical,
        "A program crashed: an invalid access to memory, or an abort",
        r"(?i)segfault at|segmentation fault|sigsegv|sigabrt|sigbus|sigill|core dumped|dumped core|illegal instruction|double free or corruption|stack smashing detected|access violation|0xc0000005",
    ),
    entry(
        "panic",
        Severity::Critical,
        "A kernel or a program gave up: panic, oops or kernel bug",
        r"(?i)kernel panic|panicked at|panic: |\[running\]:|unable to handle kernel|unable to handle page fault|kernel bug at|general protection fault|oops: 0",
    ),
    entry(
        "stack-trace",
        Severity::Medium,
        "An exception that nobody caught, or the trace of one",
        r#"(?i)traceback \(most recent call last\)|exception in thread|unhandled exception|uncaught exception|uncaughtexception|unhandledpromiserejection|unhandled promise rejection|nullpointerexception|stack trace:|caused by: (?:java|javax|org|com|io)\.|\.java:|", line "#,
    ),
    entry(
        "deadlock",
        Severity::High,
        "Transactions or threads wait for each other",
        r"(?i)deadlock found|deadlock detected|deadlocked|deadlock victim|java-level deadlock|possible circular locking dependency|possible recursive locking|all goroutines are asleep|lock wait timeout exceeded",
    ),
    entry(
        "hung-task",
        Severity::High,
        "A process or a processor made no progress for a long time",
        r"(?i)blocked for more than |soft lockup|hard lockup|self-detected stall|detected stalls on|watchdog timeout|hung_task",
    ),
    entry(
        "crash-loop",
        Severity::High,
        "A service ends again and again, and is started again",
        r"(?i)crashloopbackoff|back-off restarting failed|start request repeated too quickly|start-limit-hit|respawning too fast|exited too quickly|entered fatal state|main process exited, code=(?:killed|dumped)|code=exited, status=[123]|failed with result '(?:exit-code|signal|core-dump|watchdog|oom-kill|start-limit-hit)'",
    ),
    entry(
        "disk-full",
        Severity::High,
        "A disk or a quota is full",
        r"(?i)no space left on device|enospc|disk quota exceeded|edquot|disk full|disk is full|out of disk space|insufficient disk space|not enough disk space|not enough space on the disk|could not extend file|diskpressure",
    ),
    entry(
        "disk-error",
        Severity::Critical,
        "A disk or a file system fails",
        r"(?i)i/o error|input/output error|medium error|unrecovered read error|ext[234]-fs error|remounting filesystem read-only|read-only file system|structure needs cleaning",
    ),
    entry(
        "data-corruption",
        Severity::Critical,
        "What was stored cannot be trusted",
        r"(?i)data corruption|data_corrupted|checksum mismatch|checksum error|checksum failed|checksum verification failed|bad checksum|crc error|crc mismatch|invalid page in block|page verification failed|database disk image is malformed|marked as crashed|index_corrupted|metadata corruption",
    ),
    entry(
        "hardware-error",
        Severity::Critical,
        "The processor, the memory or a device reports a fault",
        r"(?i)\[hardware error\]|machine check exception|uncorrected error|uncorrectable error| ue memory |pcie bus error|nvrm: xid|temperature above threshold|temperature/speed critical",
    ),
    entry(
        "resource-exhausted",
        Severity::High,
        "Files, threads, connections or ports ran out",
        r"(?i)too many open files|emfile|enfile|too many connections|connection slots are reserved|pool exhausted|pool is exhausted|timeout waiting for connection from pool|resource temporarily unavailable|unable to create (?:new )?native thread|table full, dropping packet|no buffer space available|cannot assign requested address|out of file descriptors",
    ),
    entry(
        "address-in-use",
        Severity::Medium,
        "Another process has the port already",
        r"(?i)address already in use|eaddrinuse|port is already allocated|only one usage of each socket address",
    ),
    entry(
        "connection-refused",
        Severity::Medium,
        "Nobody listens where a connection was wanted",
        r"(?i)connection refused|econnrefused|connection was refused|actively refused it",
    ),
    entry(
        "connection-lost",
        Severity::Medium,
        "A connection ended before it was done",
        r"(?i)connection reset by peer|econnreset|connection reset by|broken pipe|software caused connection abort|econnaborted|closed the connection unexpectedly|prematurely closed connection|socket hang up|server has gone away|lost connection to|connection_failure",
    ),
    entry(
        "host-unreachable",
        Severity::Medium,
        "There is no way to a host or to a network",
        r"(?i)no route to host|ehostunreach|network is unreachable|enetunreach|network is down|host is down|host unreachable|destination unreachable",
    ),
    entry(
        "timeout",
        Severity::Medium,
        "Something took longer than it may",
        r"(?i)timed out|etimedout|timeout exceeded|timeout expired|deadline exceeded|deadline_exceeded|deadlineexceeded|timeoutexception|timeouterror|gateway timeout|gateway time-out|request timeout|canceling statement due to|exceeded timeout",
    ),
    entry(
        "dns-failure",
        Severity::High,
        "A name could not be resolved",
        r"(?i)name or service not known|temporary failure in name resolution|could not resolve host|couldn't resolve host|no such host|nxdomain|servfail|unknownhostexception|eai_again|eai_noname|getaddrinfo enotfound|getaddrinfo failed|nodename nor servname|name resolution failed|dns resolution failed|server misbehaving",
    ),
    entry(
        "tls-certificate",
        Severity::High,
        "An encrypted connection failed: a certificate or the handshake",
        r"(?i)certificate verify failed|certificate has expired|certificate is not yet valid|x509: |signed by unknown authority|unable to get local issuer|self-signed certificate|self signed certificate|certificate_(?:unknown|expired|required|revoked)|certificate required|bad certificate|unknown_ca|alert unknown ca|handshake failure|handshake_failure|handshake failed|tls handshake error|sslhandshakeexception|pkix path building failed|sslv3 alert|tlsv1 alert|wrong version number",
    ),
    entry(
        "authentication-failure",
        Severity::Medium,
        "Somebody could not prove who they are",
        r"(?i)authentication failure|authentication failed|failed password|invalid user |login failed|failed login|login incorrect|logon failure|invalid credentials|bad credentials|incorrect password|invalid password|wrong password|access denied for user|too many authentication failures|invalid_password|invalid_grant|401 unauthorized",
    ),
    entry(
        "permission-denied",
        Severity::Medium,
        "Somebody may not do what was tried",
        r"(?i)permission denied|permission_denied|permissiondenied|operation not permitted|access is denied|access denied|accessdenied|403 forbidden|is forbidden: user|insufficient privilege|insufficient_privilege|not authorized to perform|avc:  denied",
    ),
    entry(
        "intrusion",
        Severity::High,
        "Somebody seems to look for a way in",
        r"(?i)possible break-in attempt|possible syn flooding|port scan detected|brute force|brute-force attack|sql injection|directory traversal|path traversal attempt",
    ),
    entry(
        "rate-limited",
        Severity::Medium,
        "Requests are refused since there are too many",
        r"(?i)too many requests|rate limit exceeded|rate limit reached|rate exceeded|rate limited|rate_limit_exceeded|ratelimitexceeded|throttlingexception|(?:was|been|being|is) throttled|requestlimitexceeded|throughputexceeded|resource_exhausted|quota exceeded for|slow down, please|over_query_limit",
    ),
    entry(
        "service-unavailable",
        Severity::Medium,
        "A server answers that it cannot",
        r"(?i)service unavailable|serviceunavailable|bad gateway|internal server error|no healthy upstream|no live upstreams|upstream connect error|circuit breaker is open|is open and does not permit further calls|code = unavailable",
    ),
    entry(
        "health-check-failed",
        Severity::Medium,
        "A health check or a probe failed",
        r"(?i)(?:liveness|readiness|startup) probe failed|probe errored|health check failed|healthcheck failed|failed health check| is down, reason:",
    ),
    entry(
        "node-not-ready",
        Severity::High,
        "A node of a cluster cannot be used",
        r"(?i)nodenotready|node is not ready|status is now: nodenotready|stopped posting node status|memorypressure|pidpressure|pleg is not healthy|nodestatusunknown",
    ),
    entry(
        "container-start-failure",
        Severity::Medium,
        "A container could not be started or placed",
        r"(?i)imagepullbackoff|errimagepull|failed to pull image|createcontainerconfigerror|createcontainererror|runcontainererror|failedscheduling|failedmount|failedcreatepodsandbox|unable to attach or mount volumes|insufficient (?:cpu|memory)|failed to start container|oci runtime create failed",
    ),
    entry(
        "replication-failure",
        Severity::High,
        "A copy of a database no longer follows",
        r"(?i)replication (?:has )?(?:failed|stopped|broken)|replication error|requested wal segment |could not receive data from wal stream|connection with master lost|master timeout|error condition on socket for sync|fatal error 1236|(?:slave|replica) sql for channel|too stale to catch up",
    ),
    entry(
        "cluster-quorum",
        Severity::High,
        "A cluster lost its leader, its quorum or its copies",
        r"(?i)lost leader|leadership lost|lost leadership|etcdserver: no leader|no quorum|lost quorum|quorum lost|quorum is lost|split-brain|split brain|shrinking isr|masternotdiscovered|master not discovered|notenoughreplicas|not enough in-sync replicas",
    ),
    entry(
        "backup-failure",
        Severity::High,
        "A backup, a dump or a snapshot failed",
        r"(?i)backup (?:job )?(?:has )?failed|failed to (?:create |write |take )?(?:a )?(?:backup|snapshot)|snapshot failed|(?:pg_dump|pg_basebackup|mysqldump): error|archive command failed|background saving error|can't save in background|archiver failed",
    ),
    entry(
        "constraint-violation",
        Severity::Low,
        "A database refused a row, or a transaction to be tried again",
        r"(?i)violates (?:unique|foreign key|check|not-null|exclusion) constraint|duplicate key value|duplicate entry '|constraint failed|integrityerror|integrityconstraintviolation|could not serialize access|serialization_failure",
    ),
    entry(
        "file-missing",
        Severity::Low,
        "A file, a library or a module is not where it should be",
        r"(?i)no such file or directory|enoent|filenotfound(?:exception|error)|modulenotfounderror|no module named|cannot find module|error while loading shared libraries|classnotfoundexception|noclassdeffounderror|undefined symbol:",
    ),
    entry(
        "configuration-error",
        Severity::Medium,
        "A configuration cannot be used",
        r"(?i)invalid configuration|configuration error|config error|bad configuration|unknown directive|unrecognized configuration parameter|failed to (?:parse|load|read) config|error (?:parsing|reading|loading) config|missing required (?:setting|option|parameter|environment)",
    ),
    entry(
        "queue-overflow",
        Severity::Medium,
        "More comes than can be taken: something is dropped or refused",
        r"(?i)queue is full|queue full|buffer is full|rejectedexecutionexception|begin to drop messages|messages lost due to rate-limiting|dropping (?:message|packet|request|event)|queue overflow|times the listen queue|ring buffer full",
    ),
    entry(
        "clock-skew",
        Severity::Low,
        "A clock is wrong, or two clocks differ",
        r"(?i)clock skew|time skew|clock is skewed|clock unsynchronized|clock synchronization lost|system clock wrong by|can't synchroni[sz]e|marking clocksource|requesttimetooskewed",
    ),
];
