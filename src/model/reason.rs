//! Why something is as it is, or was decided so: a code for programs, a sentence for people.

use serde::{Deserialize, Serialize};

/// Why a status or a verdict is what it is: a code for programs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A required subdirectory is missing or no directory.
    MissingSubdir,
    /// The canonical manifest cannot be used.
    ManifestUnreadable,
    /// There is no heartbeat file.
    NoHeartbeat,
    /// The heartbeat is not a JSON object.
    HeartbeatUnreadable,
    /// The heartbeat is larger than 64 KiB.
    HeartbeatTooLarge,
    /// The heartbeat is no regular file.
    HeartbeatNotRegular,
    /// The heartbeat has no `timestamp`.
    TimestampMissing,
    /// The `timestamp` is no finite number and no RFC 3339 text.
    TimestampInvalid,
    /// The `timestamp` lies too far in the future to be believed.
    ClockSkew,
    /// The last beat is older than the limit.
    Stale,
    /// The manifest names no agent.
    NoAgents,
    /// It could not be looked at.
    Unreadable,
    /// A probe's answer is bad.
    Probe,
    /// A probe could not be asked, which changes nothing here.
    NotAsked,
    /// It is healthy again (a decision's reason).
    Recovered,
    /// The cell is frozen (a decision's reason).
    Frozen,
    /// No plan governs it (a decision's reason).
    NoPlan,
    /// An attempt has still time to show (a decision's reason).
    Reviving,
    /// An attempt is being made (a decision's reason).
    UnderWay,
    /// An operator took it out of revival (a decision's reason).
    Paused,
    /// Its process ended with a code that means done (a decision's reason).
    FinishedExit,
    /// Its last word means done (a decision's reason).
    FinishedReport,
    /// Its process ended with a code that means hopeless (a decision's reason).
    PermanentExit,
    /// A template of its plan cannot be filled in for it (a decision's reason).
    Template,
    /// Its condition, and those that the plan acts on (a decision's reason).
    Status,
    /// Its last word excuses its silence (a decision's reason).
    ToleratedReport,
    /// What the plan's policy is (a decision's reason).
    Policy,
    /// How long it has been down (a decision's reason).
    DownFor,
    /// A maintenance window (a decision's reason).
    Maintenance,
    /// Something that it needs is not healthy (a decision's reason).
    Need,
    /// How many attempts were made in the window (a decision's reason).
    Attempts,
    /// When the next attempt is due (a decision's reason).
    Backoff,
    /// A human said no (a decision's reason).
    Denied,
    /// Nobody answered in time (a decision's reason).
    Expired,
    /// Many subjects went down together (a decision's reason).
    MassFailure,
    /// It is let through a hold (a decision's reason).
    Canary,
    /// No run was made for long (a decision's reason).
    Gap,
    /// This host was booted just now (a decision's reason).
    Settle,
    /// The clock has gone backwards (a decision's reason).
    Clock,
    /// The state was lost (a decision's reason).
    StateLost,
    /// The missions root is another (a decision's reason).
    RootChanged,
    /// A human is asked (a decision's reason).
    AwaitingApproval,
    /// A human agreed (a decision's reason).
    Approved,
    /// What one run may do at most (a decision's reason).
    RestartsPerRun,
    /// An attempt is due (a decision's reason).
    Due,
    /// The process that was kept for it has ended (a decision's reason).
    Exited,
    /// It is not there any more (a decision's reason).
    Gone,
}

impl Code {
    /// The code's name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::MissingSubdir => "missing_subdir",
            Code::ManifestUnreadable => "manifest_unreadable",
            Code::NoHeartbeat => "no_heartbeat",
            Code::HeartbeatUnreadable => "heartbeat_unreadable",
            Code::HeartbeatTooLarge => "heartbeat_too_large",
            Code::HeartbeatNotRegular => "heartbeat_not_regular",
            Code::TimestampMissing => "timestamp_missing",
            Code::TimestampInvalid => "timestamp_invalid",
            Code::ClockSkew => "clock_skew",
            Code::Stale => "stale",
            Code::NoAgents => "no_agents",
            Code::Unreadable => "unreadable",
            Code::Probe => "probe",
            Code::NotAsked => "not_asked",
            Code::Recovered => "recovered",
            Code::Frozen => "frozen",
            Code::NoPlan => "no_plan",
            Code::Reviving => "reviving",
            Code::UnderWay => "under_way",
            Code::Paused => "paused",
            Code::FinishedExit => "finished_exit",
            Code::FinishedReport => "finished_report",
            Code::PermanentExit => "permanent_exit",
            Code::Template => "template",
            Code::Status => "status",
            Code::ToleratedReport => "tolerated_report",
            Code::Policy => "policy",
            Code::DownFor => "down_for",
            Code::Maintenance => "maintenance",
            Code::Need => "need",
            Code::Attempts => "attempts",
            Code::Backoff => "backoff",
            Code::Denied => "denied",
            Code::Expired => "expired",
            Code::MassFailure => "mass_failure",
            Code::Canary => "canary",
            Code::Gap => "gap",
            Code::Settle => "settle",
            Code::Clock => "clock",
            Code::StateLost => "state_lost",
            Code::RootChanged => "root_changed",
            Code::AwaitingApproval => "awaiting_approval",
            Code::Approved => "approved",
            Code::RestartsPerRun => "restarts_per_run",
            Code::Due => "due",
            Code::Exited => "exited",
            Code::Gone => "gone",
        }
    }
}

/// One reason: a code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Reason {
    /// What kind of reason.
    pub code: Code,
    /// The sentence: what was read, its value, the limit it was held against.
    pub message: String,
}

impl Reason {
    /// A reason.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
