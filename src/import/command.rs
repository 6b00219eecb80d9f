//! Commands of the earlier tools to steps.

use super::notes::{Notes, has_secret_name, holds_secret, looks_secret};
use super::section::{Entry, Item, Section};
use super::sound;
use super::tree::Tree;
use super::write::Yaml;

/// Whom a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// A gateway.
    Gateway,
    /// Agents of cells.
    Agents,
}

/// The keys of one command.
const ONE: [&str; 14] = [
    "revive_cmd",
    "revive_command",
    "restart_cmd",
    "restart_command",
    "resurrect_cmd",
    "resurrection_cmd",
    "resurrect_command",
    "revive",
    "restart",
    "command",
    "cmd",
    "action",
    "exec",
    "run",
];
/// Those of one that is started and lives on.
const START: [&str; 7] = [
    "start_cmd",
    "start_command",
    "spawn_cmd",
    "spawn_command",
    "spawn",
    "launch_cmd",
    "launch_command",
];
/// Those of several, one after the other.
const SEVERAL: [&str; 5] = [
    "commands",
    "revive_commands",
    "restart_commands",
    "revive_steps",
    "steps",
];

/// The keys of how long one may take.
const TIMEOUT: [&str; 5] = [
    "command_timeout",
    "revive_timeout",
    "restart_timeout",
    "exec_timeout",
    "timeout",
];

/// What stands beside a command.
#[derive(Clone, Debug, Default)]
struct Beside {
    cwd: Option<String>,
    env: Vec<(String, Yaml)>,
    env_pass: Vec<String>,
    user: Option<String>,
    timeout: Option<String>,
    background: bool,
}

/// Takes the steps out of a section, those that the program would take; none where it names no
/// command that is one here. Then what stands beside the command stays in the section.
pub(super) fn steps(from: &mut Section, whom: Whom, notes: &mut Notes) -> Vec<Yaml> {
    let steps = steps_within(from, None, whom, notes);
    one_spawn(steps, notes)
        .into_iter()
        .map(|(_, step)| step)
        .collect()
}

fn steps_within(
    from: &mut Section,
    outer: Option<&Beside>,
    whom: Whom,
    notes: &mut Notes,
) -> Vec<(Item, Yaml)> {
    let commands = commands(from);
    if commands.is_empty() {
        return Vec::new();
    }
    let mut trial = Notes::default();
    let beside = Beside::take(&mut from.clone(), outer, &mut trial);
    let made = all(commands.clone(), &beside, whom, &mut trial);
    if made.is_empty() {
        // Once more, to say why; what stands beside them is then told by itself.
        return all(commands, &beside, whom, notes);
    }
    let beside = Beside::take(from, outer, notes);
    let steps = all(commands, &beside, whom, notes);
    let runs = |(_, step): &(Item, Yaml)| !is_spawn(step);
    if beside.timeout.is_some() && !steps.iter().any(runs) {
        notes.hint(format!(
            "{}: what is started and lives on has no timeout; `limits.max_runtime` of a `spawn` ends it",
            from.path
        ));
    }
    steps
}

/// The commands of a section, and whether each is to live on.
fn commands(from: &mut Section) -> Vec<(Item, bool)> {
    let one = from.take(&ONE).map(|item| (item, false));
    let start = from.take(&START).map(|item| (item, true));
    let mut commands: Vec<(Item, bool)> = one.into_iter().chain(start).collect();
    if let Some(Item { path, value }) = from.take(&SEVERAL) {
        let list = match value {
            Tree::List(list) => list,
            other => vec![other],
        };
        let items = list.into_iter().enumerate().map(|(at, value)| {
            let path = format!("{path}[{at}]");
            (Item { path, value }, false)
        });
        commands.extend(items);
    }
    commands
}

fn all(
    commands: Vec<(Item, bool)>,
    beside: &Beside,
    whom: Whom,
    notes: &mut Notes,
) -> Vec<(Item, Yaml)> {
    let mut steps = Vec::new();
    for (item, starts) in commands {
        let Some(step) = step(item.clone(), beside, starts, whom, notes) else {
            continue;
        };
        match sound::part("steps", &Yaml::List(vec![step.clone()]), whom) {
            Ok(()) => steps.push((item, step)),
            Err(why) => notes.left(&item, &why),
        }
    }
    steps
}

impl Beside {
    /// Takes it out of a section; what is not said there is as it is around it.
    fn take(from: &mut Section, outer: Option<&Self>, notes: &mut Notes) -> Self {
        let mut to = outer.cloned().unwrap_or_default();
        if let Some(Item { path, value }) = from.take(&["env", "environment"]) {
            to.take_env(Section::new(path, value), notes);
        }
        let cwd = ["cwd", "working_dir", "working_directory", "workdir"];
        to.cwd = from.take_text(&cwd, notes).or(to.cwd);
        let user = ["run_as", "as_user", "user"];
        to.user = from.take_text(&user, notes).or(to.user);
        let timeout = from.take_span(&TIMEOUT, notes).map(super::exact);
        to.timeout = timeout.or(to.timeout);
        for name in ["background", "detach", "detached", "daemon", "daemonize"] {
            let said = from.take_bool(&[name], notes);
            to.background = said.unwrap_or(to.background);
        }
        to
    }

    fn take_env(&mut self, mut section: Section, notes: &mut Notes) {
        let single =
            |_: &str, value: &Tree| !matches!(value, Tree::Map(_) | Tree::List(_) | Tree::Null);
        let path = section.path.clone();
        for Entry { key: name, item } in section.take_where(single) {
            let text = item.value.text().unwrap_or_else(|| item.value.shown());
            if !is_variable(&name) {
                notes.left(&item, "this is no name of a variable");
            } else if has_secret_name(&name) || looks_secret(&text) {
                let variable = notes.variable(&name, Some(&item));
                self.env_pass.push(variable);
                notes.hint(format!(
                    "{path}: a secret is among them, which only a `spawn` step passes on: it is one now"
                ));
            } else {
                self.env.retain(|(known, _)| *known != name);
                self.env.push((name, Yaml::text(literal(&text))));
            }
        }
        section.finish(notes);
    }
}

/// True for what can be the name of an environment variable.
fn is_variable(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(good)
}

fn is_spawn(step: &Yaml) -> bool {
    matches!(step, Yaml::Map(entries) if entries[0].0 == "spawn")
}

/// One command to its step.
fn step(item: Item, beside: &Beside, starts: bool, whom: Whom, notes: &mut Notes) -> Option<Yaml> {
    let path = item.path.clone();
    match item.value {
        Tree::Map(_) => {
            let mut section = Section::new(path, item.value);
            let mut made = steps_within(&mut section, Some(beside), whom, notes).into_iter();
            let step = made.next().map(|(_, step)| step);
            for (item, _) in made {
                notes.left(&item, "one step is one command");
            }
            section.finish(notes);
            step
        }
        Tree::Text(ref text) if holds_secret(text) => {
            notes.left(
                &item,
                "a secret in a command is seen by everybody on the host; let it read a file",
            );
            None
        }
        Tree::Text(text) => {
            let (words, background) = of_text(&text, whom);
            made(words, beside, starts || background, whom)
        }
        Tree::List(list) => {
            let words: Option<Vec<String>> = list.iter().map(Tree::text).collect();
            let good = words.filter(|words| !words.is_empty() && !holds_secret(&words.join(" ")));
            let Some(words) = good else {
                let value = Tree::List(list);
                notes.left(
                    &Item { path, value },
                    "this is no command that can be written here",
                );
                return None;
            };
            let words = words.iter().map(|word| filled(word, whom)).collect();
            made(words, beside, starts, whom)
        }
        // `restart: true` and the like say no command.
        value => {
            notes.left(&Item { path, value }, "this is no command");
            None
        }
    }
}

fn made(mut words: Vec<String>, beside: &Beside, starts: bool, whom: Whom) -> Option<Yaml> {
    if words.is_empty() {
        return None;
    }
    let starts = starts || beside.background || !beside.env_pass.is_empty();
    let mut cwd = beside.cwd.clone();
    // What is no path here, a shell can go to all the same.
    let simple = |path: &str| {
        path.chars()
            .all(|c| c.is_alphanumeric() || "~/._-".contains(c))
    };
    let outside = |path: &str| path.starts_with('/') && starts && whom == Whom::Agents;
    if let Some(path) = cwd.take_if(|path| simple(path) && (path.starts_with('~') || outside(path)))
    {
        let mut shell = vec!["sh".to_owned(), "-c".to_owned()];
        shell.push(format!("cd {path} && exec \"$0\" \"$@\""));
        shell.append(&mut words);
        words = shell;
    }
    let command = Yaml::texts(words);
    let mut full = vec![("command".to_owned(), command.clone())];
    let mut put = |key: &str, value: Option<Yaml>| full.extend(value.map(|v| (key.to_owned(), v)));
    put("cwd", cwd.as_ref().map(|cwd| Yaml::text(literal(cwd))));
    let env = (!beside.env.is_empty()).then(|| Yaml::Map(beside.env.clone()));
    put("env", env);
    put(
        "user",
        beside.user.as_ref().map(|user| Yaml::text(literal(user))),
    );
    if starts {
        let pass = (!beside.env_pass.is_empty()).then(|| Yaml::texts(beside.env_pass.clone()));
        put("env_pass", pass);
        return Some(Yaml::one("spawn", Yaml::Map(full)));
    }
    let run = match full.len() {
        1 => command,
        _ => Yaml::Map(full),
    };
    let mut step = vec![("run".to_owned(), run)];
    step.extend(
        beside
            .timeout
            .as_ref()
            .map(|t| ("timeout".to_owned(), Yaml::word(t))),
    );
    Some(Yaml::Map(step))
}

/// A plan starts one agent.
fn one_spawn(steps: Vec<(Item, Yaml)>, notes: &mut Notes) -> Vec<(Item, Yaml)> {
    let mut seen = false;
    let mut kept = Vec::new();
    for (item, step) in steps {
        if is_spawn(&step) && std::mem::replace(&mut seen, true) {
            notes.left(
                &item,
                "a plan starts one agent, and this would be a second one",
            );
            continue;
        }
        kept.push((item, step));
    }
    kept
}

/// The words of a command line, and whether it goes to the background. Where a shell would do more
/// than part it at its spaces, it stays a shell's.
fn of_text(text: &str, whom: Whom) -> (Vec<String>, bool) {
    let text = text.trim();
    let behind = text.strip_suffix('&').filter(|rest| !rest.ends_with('&'));
    let background = behind.is_some();
    let mut text = behind.unwrap_or(text).trim_end();
    if background {
        for word in ["nohup ", "setsid "] {
            text = text.strip_prefix(word).unwrap_or(text).trim_start();
        }
    }
    let special = |c: char| "|&;<>()$`\\\"'*?[]#~{}!\n".contains(c);
    let bare = without_places(text);
    let assigns = bare
        .split_whitespace()
        .next()
        .is_some_and(|word| word.contains('='));
    if bare.contains(special) || assigns {
        let shell = in_shell(text, whom);
        return (vec!["sh".to_owned(), "-c".to_owned(), shell], background);
    }
    let words = text.split_whitespace().map(|word| filled(word, whom));
    (words.collect(), background)
}

/// What was filled in by the earlier tools, and what is filled in here.
fn places(whom: Whom) -> [(&'static str, &'static str, &'static str); 8] {
    let (name, shell) = match whom {
        // A gateway's name is letters, digits, `.`, `_`, `-`.
        Whom::Gateway => ("{{ gateway.name }}", "{{ gateway.name }}"),
        // What a cell says is never part of what a shell reads.
        Whom::Agents => ("{{ agent.name }}", "${LAZARUS_AGENT}"),
    };
    let (cell, in_shell) = match whom {
        Whom::Gateway => (name, shell),
        Whom::Agents => ("{{ cell.id }}", "${LAZARUS_CELL_ROOT##*/}"),
    };
    let (root, root_in_shell) = match whom {
        Whom::Gateway => ("{root}", "{root}"),
        Whom::Agents => ("{{ cell.root }}", "${LAZARUS_CELL_ROOT}"),
    };
    [
        ("{name}", name, shell),
        ("{agent}", name, shell),
        ("{agent_name}", name, shell),
        ("{gateway}", name, shell),
        ("{mission}", cell, in_shell),
        ("{mission_id}", cell, in_shell),
        ("{cell}", cell, in_shell),
        ("{root}", root, root_in_shell),
    ]
}

fn without_places(text: &str) -> String {
    let mut text = text.to_owned();
    for (place, ..) in places(Whom::Agents) {
        text = text.replace(place, "");
    }
    text
}

/// A word in which what the earlier tools filled in is filled in here.
fn filled(word: &str, whom: Whom) -> String {
    let mut word = literal(word);
    for (place, here, _) in places(whom) {
        word = word.replace(place, here);
    }
    word
}

fn in_shell(text: &str, whom: Whom) -> String {
    let mut text = literal(text);
    for (place, _, here) in places(whom) {
        text = text.replace(place, here);
    }
    text
}

/// A text that stays what it is where templates are filled in.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"]
        .iter()
        .filter_map(|open| rest.find(open))
        .min()
    {
        out.push_str(&rest[..at]);
        out.push_str(&format!("{{{{ '{}' }}}}", &rest[at..at + 2]));
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let words = |text: &str| of_text(text, Whom::Gateway);
        let plain = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        for (text, want, background) in [
            (
                "systemctl restart x.service",
                &["systemctl", "restart", "x.service"][..],
                false,
            ),
            ("  nohup hermes gateway &", &["hermes", "gateway"], true),
            ("cd /x && ./run", &["sh", "-c", "cd /x && ./run"], false),
            (
                "python g.py > /tmp/log 2>&1 &",
                &["sh", "-c", "python g.py > /tmp/log 2>&1"],
                true,
            ),
            ("A=1 run", &["sh", "-c", "A=1 run"], false),
            (
                "systemctl restart hermes-{name}",
                &["systemctl", "restart", "hermes-{{ gateway.name }}"],
                false,
            ),
            (
                "docker inspect -f {{.State}} x",
                &["sh", "-c", "docker inspect -f {{ '{{' }}.State}} x"],
                false,
            ),
            ("", &[], false),
        ] {
            assert_eq!(words(text), (plain(want), background), "{text}");
        }
        // What a cell is called is no part of what a shell reads.
        let (words, _) = of_text("echo {cell} {agent} > /tmp/x", Whom::Agents);
        assert_eq!(
            words[2],
            "echo ${LAZARUS_CELL_ROOT##*/} ${LAZARUS_AGENT} > /tmp/x"
        );
    }
}
