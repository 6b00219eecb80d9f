# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lazarus_pit_global_optspecs
    string join \n config= root= state-dir= plans= heartbeat-dir= trust-owner= json format= v/verbose q/quiet color= dry-run once init-cell= layout= write-heartbeat no-heartbeat cell= stale-after= no-act force woken status list-cells poll-interval= deadline= wait-lock= h/help V/version
end

function __fish_lazarus_pit_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lazarus_pit_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lazarus_pit_using_subcommand
    set -l cmd (__fish_lazarus_pit_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l init-cell -d 'First make that cell' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l layout -d 'The layout of the cell that --init-cell makes [default: foundation]' -r -f -a "foundation\t'meta config state logs artifacts worktree'
canonical\t'workspace logs .lazarus, with cell.json'"
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l cell -d 'Only these cells; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l stale-after -d 'How old a beat may be; a bare number is seconds' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l poll-interval -d 'Accepted with a warning: the timer decides' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l deadline -d 'Bound on the whole run' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l wait-lock -d 'How long to wait for another run\'s lock' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l dry-run -d 'Observe and decide as a real run would, and write, send and start nothing'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l once -d 'Accepted: a run is always one pass'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l write-heartbeat -d 'Accepted: it is the default'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l no-heartbeat -d 'Leave the meta-heartbeat out'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l no-act -d 'Observe, record and notify, but carry out no step'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l force -d 'Act even where mass-failure protection would hold'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l woken -d 'A keeper starts this run'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l status -d 'As `status --json` (an earlier tool\'s option)'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -l list-cells -d 'As `list` (an earlier tool\'s option)'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -s V -l version -d 'Print version'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "check" -d 'One pass over the cells (what no command means)'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "init" -d 'Make a cell, or add what one lacks'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "list" -d 'Every cell, archived ones too'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "status" -d 'What the last run left in the state'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "explain" -d 'Say why the next run would do what it would do'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "plan" -d 'Check plans, and show them'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "approve" -d 'Agree to the attempt that is asked about'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "deny" -d 'Refuse the attempt that is asked about'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "pause" -d 'Take a subject out of revival'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "resume" -d 'Give a subject back to revival'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "reset" -d 'Forget a subject\'s attempts, refusals and hopelessness'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "start" -d 'Carry out a subject\'s plan now, whatever its conditions say'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "restart" -d 'The same, with what lives of the subject ended first'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "history" -d 'Incidents of the past and open ones, the newest last'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "ps" -d 'The processes that were started: the living ones, and what ended within a day'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "close" -d 'End a subject\'s processes and pause it, so that no run brings it back'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "destroy" -d 'End all that works in a cell, and remove the cell with its logs'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "logs" -d 'What a subject\'s processes have printed: the last lines'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "beat" -d 'Write a heartbeat, for agents in any language'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "heartbeats" -d 'Read every heartbeat in the heartbeat directory and say which job is late'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "channel" -d 'Look at channels to people, or try one'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "health" -d 'Answer one HTTP request on standard input and output: /health, /metrics, /status.json'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "doctor" -d 'Look over the installation and say what would go wrong'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "simulate" -d 'Try plans on a recorded journal or on a made-up scenario, beside those in force'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "import" -d 'Turn a resurrection_pool.json or lazarus-pit.toml into config.yaml and plans'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "demo" -d 'Show it on three agents that live: one is killed, one hangs, one wants your word'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "completions" -d 'Completions for a shell'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "man" -d 'The manual page'
complete -c lazarus-pit -n "__fish_lazarus_pit_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l init-cell -d 'First make that cell' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l layout -d 'The layout of the cell that --init-cell makes [default: foundation]' -r -f -a "foundation\t'meta config state logs artifacts worktree'
canonical\t'workspace logs .lazarus, with cell.json'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l cell -d 'Only these cells; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l stale-after -d 'How old a beat may be; a bare number is seconds' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l poll-interval -d 'Accepted with a warning: the timer decides' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l deadline -d 'Bound on the whole run' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l wait-lock -d 'How long to wait for another run\'s lock' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l dry-run -d 'Observe and decide as a real run would, and write, send and start nothing'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l once -d 'Accepted: a run is always one pass'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l write-heartbeat -d 'Accepted: it is the default'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l no-heartbeat -d 'Leave the meta-heartbeat out'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l no-act -d 'Observe, record and notify, but carry out no step'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l force -d 'Act even where mass-failure protection would hold'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l woken -d 'A keeper starts this run'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l status -d 'As `status --json` (an earlier tool\'s option)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l list-cells -d 'As `list` (an earlier tool\'s option)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l layout -d 'The layout [default: that of the cell if there is one, else foundation]' -r -f -a "foundation\t'meta config state logs artifacts worktree'
canonical\t'workspace logs .lazarus, with cell.json'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l agent -d 'An agent of the cell; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l owner -d 'Whom the cell is for: it belongs to that user, its manifest to root' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -f -a "lint" -d 'Say all that is wrong with plans, and with the configuration'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -f -a "schema" -d 'Print the JSON Schema of a plan, for editors'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -f -a "test" -d 'Put plans to their own tests'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -f -a "show" -d 'Print the plan that governs a subject, defaults filled in'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and not __fish_seen_subcommand_from lint schema test show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "lint" -d 'Say all that is wrong with plans, and with the configuration'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "schema" -d 'Print the JSON Schema of a plan, for editors'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "test" -d 'Put plans to their own tests'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print the plan that governs a subject, defaults filled in'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l for -d 'How long it is not asked again [default: the plan\'s approval.ask_again]' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l reason -d 'Why, for whoever finds it paused' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l for -d 'For how long [default: until it is resumed]' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l deadline -d 'How long it may take [default: 50s]' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l deadline -d 'How long it may take [default: 50s]' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -s n -l last -d 'At most so many, the last ones' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l all -d 'All that the process table has (JSON always has all)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l living -d 'Only those that live'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l restart -d 'Do not pause it: the next run decides about it by its plan'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l yes -d 'Yes, remove it: without this nothing is done'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l keep-logs -d 'Leave its logs'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand destroy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -s n -l lines -d 'At most so many lines, the last ones' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -s f -l follow -d 'Then show what is added, over midnight and restarts, until it is ended'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l status -d 'What the agent is at' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l pid -d 'The agent\'s pid' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l cycle -d 'The agent\'s count of its own rounds' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l model -d 'The model that the agent runs on' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l quiet-for -d 'How long the agent may be silent now, for one long thing' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand beat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand heartbeats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -f -a "list" -d 'Every channel: its kind, which plans use it, what waits, when something last arrived'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -f -a "test" -d 'Send a harmless message, and say what can be read back'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and not __fish_seen_subcommand_from list test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "list" -d 'Every channel: its kind, which plans use it, what waits, when something last arrived'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a harmless message, and say what can be read back'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand channel; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l system-root -d 'Look for units, crontabs and fstab below this directory [default: /]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l journal -d 'A journal, or a state directory with all parts of one; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l scenario -d 'A made-up world' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l since -d 'Only the last part of the journal, as long as this' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l timeline -d 'Show each decision of each run as well'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l out -d 'Where config.yaml and plans/ are to be; neither may be there' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l keep -d 'Leave the directory with cells, plans, journal and logs, and say where it is'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l config -d 'Configuration file, YAML or JSON [default: $LAZARUS_PIT_CONFIG, ~/.config/lazarus-pit/config.yaml, /etc/lazarus-pit/config.yaml]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l root -d 'Missions root: the directory that holds the cells [default: missions_root, /var/missions]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l state-dir -d 'Where lock, state and journal lie [default: $LAZARUS_PIT_STATE_DIR, /var/lib/lazarus-pit or ~/.local/state/lazarus-pit]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l plans -d 'A plan file, or a directory of *.yaml and *.yml; repeatable' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l heartbeat-dir -d 'Where the meta-heartbeat is written [default: heartbeat_dir, STATE_DIR/heartbeats]' -r -F
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l trust-owner -d 'Accept configuration and plan files of one more owner; repeatable' -r
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l format -d 'How results are written [default: human]' -r -f -a "human\t'For people'
json\t'One JSON document'
jsonl\t'One JSON object a line'
junit\t'JUnit XML: a test case a subject'
nagios\t'One line and exit status of a monitoring plugin'
prometheus\t'Text exposition for node_exporter\'s textfile collector'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l color -d 'Colours: only on a terminal, always or never ($NO_COLOR is honoured)' -r -f -a "auto\t'Only on a terminal'
always\t'Always'
never\t'Never'"
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -l json -d 'The same as --format json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -s v -l verbose -d 'More log lines on standard error; repeatable ($RUST_LOG wins)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -s q -l quiet -d 'Nothing at all where the exit is 0; machine formats are never silenced'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "check" -d 'One pass over the cells (what no command means)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "init" -d 'Make a cell, or add what one lacks'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "list" -d 'Every cell, archived ones too'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "status" -d 'What the last run left in the state'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "explain" -d 'Say why the next run would do what it would do'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "plan" -d 'Check plans, and show them'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "approve" -d 'Agree to the attempt that is asked about'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "deny" -d 'Refuse the attempt that is asked about'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "pause" -d 'Take a subject out of revival'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "resume" -d 'Give a subject back to revival'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "reset" -d 'Forget a subject\'s attempts, refusals and hopelessness'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "start" -d 'Carry out a subject\'s plan now, whatever its conditions say'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "restart" -d 'The same, with what lives of the subject ended first'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "history" -d 'Incidents of the past and open ones, the newest last'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "ps" -d 'The processes that were started: the living ones, and what ended within a day'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "close" -d 'End a subject\'s processes and pause it, so that no run brings it back'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "destroy" -d 'End all that works in a cell, and remove the cell with its logs'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "logs" -d 'What a subject\'s processes have printed: the last lines'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "beat" -d 'Write a heartbeat, for agents in any language'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "heartbeats" -d 'Read every heartbeat in the heartbeat directory and say which job is late'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "channel" -d 'Look at channels to people, or try one'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "health" -d 'Answer one HTTP request on standard input and output: /health, /metrics, /status.json'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "doctor" -d 'Look over the installation and say what would go wrong'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "simulate" -d 'Try plans on a recorded journal or on a made-up scenario, beside those in force'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "import" -d 'Turn a resurrection_pool.json or lazarus-pit.toml into config.yaml and plans'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "demo" -d 'Show it on three agents that live: one is killed, one hangs, one wants your word'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "completions" -d 'Completions for a shell'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "man" -d 'The manual page'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and not __fish_seen_subcommand_from check init list status explain plan approve deny pause resume reset start restart history ps close destroy logs beat heartbeats channel health doctor simulate import demo completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "lint" -d 'Say all that is wrong with plans, and with the configuration'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "schema" -d 'Print the JSON Schema of a plan, for editors'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "test" -d 'Put plans to their own tests'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "show" -d 'Print the plan that governs a subject, defaults filled in'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "list" -d 'Every channel: its kind, which plans use it, what waits, when something last arrived'
complete -c lazarus-pit -n "__fish_lazarus_pit_using_subcommand help; and __fish_seen_subcommand_from channel" -f -a "test" -d 'Send a harmless message, and say what can be read back'
