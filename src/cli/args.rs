//! The command line as clap reads it: types only, no effect and no decision.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::parse_duration_or_seconds;
use crate::model::cell::Layout;

/// Notices when AI agents have died in their mission cells: one pass, then it is gone.
///
/// Each pass takes a lock, looks at every cell under the missions root, says which are healthy,
/// stale, incomplete or uninitialized, records what changed, leaves a heartbeat of its own, and
/// exits with a status that cron, systemd, Nagios and CI understand. A timer starts it every
/// minute; it never loops. Without a command it is `check`.
#[derive(Debug, Parser)]
#[command(name = "lazarus-pit", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(subcommand_precedence_over_arg = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// Options of `check`, which is what no command means.
    #[command(flatten)]
    pub check: CheckArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `--help` says of exit codes; docs/exit-codes.md has the whole of it.
const EXIT_CODES: &str = "Exit codes: 0 all healthy, 1 something is down and in hand, 2 something is down and \
nobody will bring it back, 64 usage, 66 no missions root, 70 defect, 74 cannot write, 75 locked, 78 configuration";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Missions root: the directory that holds the cells [default: missions_root, /var/missions]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// A plan file, or a directory of *.yaml and *.yml; repeatable
    #[arg(long, global = true, value_name = "PATH")]
    pub plans: Vec<PathBuf>,
    /// Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]
    #[arg(long, global = true, value_name = "DIR")]
    pub heartbeat_dir: Option<PathBuf>,
    /// Accept configuration and plan files of one more owner; repeatable
    #[arg(long, global = true, value_name = "USER")]
    pub trust_owner: Vec<String>,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub json: bool,
    /// How results are written [default: human]
    #[arg(long, global = true, value_name = "F")]
    pub format: Option<Format>,
    /// More log lines on standard error; repeatable ($RUST_LOG wins)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Nothing at all where the exit is 0; machine formats are never silenced
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colours: only on a terminal, always or never ($NO_COLOR is honoured)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

impl Common {
    /// The format that was asked for.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            self.format.unwrap_or(Format::Human)
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// JUnit XML: a test case a subject.
    Junit,
    /// One line and exit status of a monitoring plugin.
    Nagios,
    /// Text exposition for node_exporter's textfile collector.
    Prometheus,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Only on a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of `check`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// Observe and decide as a real run would, and write, send and start nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Accepted: a run is always one pass
    #[arg(long)]
    pub once: bool,
    /// First make that cell
    #[arg(long, value_name = "ID")]
    pub init_cell: Option<String>,
    /// The layout of the cell that --init-cell makes [default: foundation]
    #[arg(long, value_name = "L", requires = "init_cell")]
    pub layout: Option<LayoutArg>,
    /// Accepted: it is the default
    #[arg(long, conflicts_with = "no_heartbeat")]
    pub write_heartbeat: bool,
    /// Leave the meta-heartbeat out
    #[arg(long)]
    pub no_heartbeat: bool,
    /// Only these cells; repeatable
    #[arg(long, value_name = "GLOB")]
    pub cell: Vec<String>,
    /// How old a beat may be; a bare number is seconds
    #[arg(long, alias = "dead-threshold", value_name = "DURATION", value_parser = parse_duration_or_seconds)]
    pub stale_after: Option<Duration>,
    /// Observe, record and notify, but carry out no step
    #[arg(long)]
    pub no_act: bool,
    /// Act even where mass-failure protection would hold
    #[arg(long)]
    pub force: bool,
    /// A keeper starts this run
    #[arg(long, hide = true)]
    pub woken: bool,
    /// As `status --json` (an earlier tool's option)
    #[arg(long, conflicts_with = "list_cells")]
    pub status: bool,
    /// As `list` (an earlier tool's option)
    #[arg(long)]
    pub list_cells: bool,
    /// Accepted with a warning: the timer decides
    #[arg(long, value_name = "N")]
    pub poll_interval: Option<String>,
    /// Bound on the whole run
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_or_seconds, default_value = "50s")]
    pub deadline: Option<Duration>,
    /// How long to wait for another run's lock
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_or_seconds, default_value = "0s")]
    pub wait_lock: Option<Duration>,
}

/// The two layouts, for clap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayoutArg {
    /// meta config state logs artifacts worktree
    Foundation,
    /// workspace logs .lazarus, with cell.json
    Canonical,
}

impl From<LayoutArg> for Layout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Foundation => Layout::Foundation,
            LayoutArg::Canonical => Layout::Canonical,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One pass over the cells (what no command means)
    Check(CheckArgs),
    /// Make a cell, or add what one lacks
    Init(InitArgs),
    /// Every cell, archived ones too
    List,
    /// What the last run left in the state
    Status {
        /// A cell, or CELL/AGENT
        subject: Option<String>,
    },
    /// Say why the next run would do what it would do
    Explain {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
    },
    /// Check plans, and show them
    Plan {
        /// What to do with them.
        #[command(subcommand)]
        command: PlanCommand,
    },
    /// Agree to the attempt that is asked about
    Approve {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
    },
    /// Refuse the attempt that is asked about
    Deny {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
        /// How long it is not asked again [default: the plan's approval.ask_again]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration_or_seconds)]
        within: Option<Duration>,
    },
    /// Take a subject out of revival
    Pause {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
        /// Why, for whoever finds it paused
        #[arg(long, value_name = "R")]
        reason: String,
        /// For how long [default: until it is resumed]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration_or_seconds)]
        within: Option<Duration>,
    },
    /// Give a subject back to revival
    Resume {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
    },
    /// Forget a subject's attempts, refusals and hopelessness
    Reset {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
    },
    /// Carry out a subject's plan now, whatever its conditions say
    Start(StartArgs),
    /// The same, with what lives of the subject ended first
    Restart(StartArgs),
    /// Incidents of the past and open ones, the newest last
    History {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: Option<String>,
        /// At most so many, the last ones
        #[arg(short = 'n', long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
    },
    /// The processes that were started: the living ones, and what ended within a day
    Ps {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: Option<String>,
        /// All that the process table has (JSON always has all)
        #[arg(long)]
        all: bool,
        /// Only those that live
        #[arg(long, conflicts_with = "all")]
        living: bool,
    },
    /// End a subject's processes and pause it, so that no run brings it back
    Close {
        /// CELL/AGENT, a cell for all its agents, or gateway:NAME
        subject: String,
        /// Do not pause it: the next run decides about it by its plan
        #[arg(long)]
        restart: bool,
    },
    /// End all that works in a cell, and remove the cell with its logs
    Destroy {
        /// The cell
        cell: String,
        /// Yes, remove it: without this nothing is done
        #[arg(long)]
        yes: bool,
        /// Leave its logs
        #[arg(long)]
        keep_logs: bool,
    },
    /// What a subject's processes have printed: the last lines
    Logs(LogsArgs),
    /// Write a heartbeat, for agents in any language
    Beat(BeatArgs),
    /// Read every heartbeat in the heartbeat directory and say which job is late
    Heartbeats,
    /// Look at channels to people, or try one
    Channel {
        /// What to do
        #[command(subcommand)]
        command: ChannelCommand,
    },
    /// Answer one HTTP request on standard input and output: /health, /metrics, /status.json
    Health,
    /// Try plans on a recorded journal or on a made-up scenario, beside those in force
    Simulate(SimulateArgs),
    /// Turn a resurrection_pool.json or lazarus-pit.toml into config.yaml and plans
    Import(ImportArgs),
    /// Show it on three agents that live: one is killed, one hangs, one wants your word
    Demo(DemoArgs),
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man,
}

/// What can be done with plans.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Say all that is wrong with plans, and with the configuration
    Lint {
        /// Plan files and directories [default: the configuration, and the plans of a run]
        path: Vec<PathBuf>,
    },
    /// Print the JSON Schema of a plan, for editors
    Schema,
    /// Put plans to their own tests
    Test {
        /// Plan files and directories [default: the plans of a run]
        path: Vec<PathBuf>,
    },
    /// Print the plan that governs a subject, defaults filled in
    Show {
        /// CELL/AGENT, a cell, or gateway:NAME
        subject: String,
    },
}

/// What can be done with channels.
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Every channel: its kind, which plans use it, what waits, when something last arrived
    List,
    /// Send a harmless message, and say what can be read back
    Test {
        /// The channel's name
        name: String,
    },
}

/// Options of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// CELL/AGENT, a cell for all its agents, or gateway:NAME
    pub subject: String,
    /// At most so many lines, the last ones
    #[arg(short = 'n', long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub lines: u32,
    /// Then show what is added, over midnight and restarts, until it is ended
    #[arg(short, long)]
    pub follow: bool,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file of the earlier tool, JSON or TOML
    pub file: PathBuf,
    /// Where config.yaml and plans/ are to be; neither may be there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave the directory with cells, plans, journal and logs, and say where it is
    #[arg(long)]
    pub keep: bool,
}

/// Options of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// A journal, or a state directory with all parts of one; repeatable
    #[arg(long, value_name = "PATH", required_unless_present = "scenario")]
    pub journal: Vec<PathBuf>,
    /// A made-up world
    #[arg(long, value_name = "FILE", conflicts_with = "journal")]
    pub scenario: Option<PathBuf>,
    /// Only the last part of the journal, as long as this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_or_seconds, conflicts_with = "scenario")]
    pub since: Option<Duration>,
    /// Show each decision of each run as well
    #[arg(long)]
    pub timeline: bool,
}

/// Options of `start` and `restart`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// CELL/AGENT, a cell for all its agents, or gateway:NAME
    pub subject: String,
    /// How long it may take [default: 50s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_or_seconds)]
    pub deadline: Option<Duration>,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The cell's id: letters, digits, `.`, `_`, `-`; no leading dot
    pub id: String,
    /// The layout [default: that of the cell if there is one, else foundation]
    #[arg(long, value_name = "L")]
    pub layout: Option<LayoutArg>,
    /// An agent of the cell; repeatable
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Whom the cell is for: it belongs to that user, its manifest to root
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
}

/// Options of `beat`.
#[derive(Debug, Args)]
pub struct BeatArgs {
    /// The cell
    pub cell: String,
    /// The agent [default: the cell's only one]
    pub agent: Option<String>,
    /// What the agent is at
    #[arg(long, value_name = "S", default_value = "alive")]
    pub status: String,
    /// The agent's pid
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// The agent's count of its own rounds
    #[arg(long, value_name = "N")]
    pub cycle: Option<i64>,
    /// The model that the agent runs on
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// How long the agent may be silent now, for one long thing
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_or_seconds)]
    pub quiet_for: Option<Duration>,
}

impl CheckArgs {
    /// The ids that clap knows these options by.
    #[must_use]
    pub fn ids() -> Vec<String> {
        let command = Self::augment_args(clap::Command::new("check"));
        command
            .get_arguments()
            .map(|arg| arg.get_id().to_string())
            .collect()
    }
}
