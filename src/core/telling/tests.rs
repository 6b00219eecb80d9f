//! Whatever happens, and wherever a run is killed: everything is told once, and what waits is
//! bounded.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::ledger;
use crate::model::cell::{Code, Reason};
use crate::model::channel::Occasion;
use crate::model::condition::Condition;
use crate::model::decision::{Policy, Verdict};
use crate::model::event::{Kind, PlannedStep};
use crate::model::snapshot::{Cells, Snapshot};
use crate::plan;

const PLAN: &str = "name: p\npolicy: ask\nsteps: [{run: [x]}]\napproval: {channels: [a]}\nnotify: {channels: [a, b]}\n";

/// What happens to one subject.
#[derive(Clone, Copy, Debug)]
enum Step {
    Down(usize),
    Up(usize),
    Attempt(usize, bool),
    Exhausted(usize),
    Ask(usize),
    Answer(usize, bool),
    Deliver,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..8_usize;
    prop_oneof![
        3 => who().prop_map(Step::Down),
        2 => who().prop_map(Step::Up),
        2 => (who(), any::<bool>()).prop_map(|(n, ok)| Step::Attempt(n, ok)),
        1 => who().prop_map(Step::Exhausted),
        2 => who().prop_map(Step::Ask),
        2 => (who(), any::<bool>()).prop_map(|(n, yes)| Step::Answer(n, yes)),
        2 => Just(Step::Deliver),
        3 => (1..5000_u64).prop_map(Step::Pass),
    ]
}

struct World {
    state: State,
    plans: PlanSet,
    now: Timestamp,
    seq: u64,
    codes: u64,
}

impl World {
    fn new() -> Self {
        let files = [plan::File {
            name: "p.yaml".to_owned(),
            text: PLAN.as_bytes().to_vec(),
        }];
        let (plans, problems) = plan::load(&files, &plan::Known::default());
        assert!(problems.is_empty(), "{problems:?}");
        Self {
            state: State::default(),
            plans,
            now: Timestamp::from_secs(1_795_240_000),
            seq: 0,
            codes: 0,
        }
    }

    fn apply(&mut self, event: Event) {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            ..event
        };
        ledger::apply(&mut self.state, &event);
    }

    fn about(&self, kind: Kind, subject: &str) -> Event {
        let open = self.state.subjects.get(subject);
        let open = open.and_then(|s| s.incident.as_ref());
        Event {
            subject: Some(subject.to_owned()),
            incident: open.map(|open| open.id.clone()),
            attempt: open.map(|open| open.attempts + 1),
            plan: Some("p".to_owned()),
            ..Event::new(kind, self.now, "r")
        }
    }

    fn is_down(&self, subject: &str) -> bool {
        let known = self.state.subjects.get(subject);
        known.is_some_and(|s| s.incident.is_some())
    }

    fn take(&mut self, step: Step) {
        let name = |n: usize| format!("c{n}/main");
        match step {
            Step::Down(n) if !self.is_down(&name(n)) => {
                let id = format!("i{}", self.seq);
                let opened = Event {
                    incident: Some(id),
                    down_since: Some(self.now),
                    to: Some(Condition::Stale),
                    ..self.about(Kind::IncidentOpened, &name(n))
                };
                self.apply(opened);
            }
            Step::Up(n) if self.is_down(&name(n)) => {
                let closed = Event {
                    reason: Some("recovered".to_owned()),
                    ..self.about(Kind::IncidentClosed, &name(n))
                };
                self.apply(closed);
            }
            Step::Attempt(n, ok) if self.is_down(&name(n)) => {
                let intent = Event {
                    r#ref: Some(format!("f{}", self.seq)),
                    verify_ms: Some(60_000),
                    steps: vec![PlannedStep {
                        kind: "run".to_owned(),
                        command: Vec::new(),
                    }],
                    ..self.about(Kind::Intent, &name(n))
                };
                let finished = Event {
                    event: Kind::AttemptFinished,
                    result: Some(if ok { "ok" } else { "failed" }.to_owned()),
                    ..intent.clone()
                };
                self.apply(intent);
                self.apply(finished);
            }
            Step::Exhausted(n) if self.is_down(&name(n)) => {
                let exhausted = self.about(Kind::Exhausted, &name(n));
                self.apply(exhausted);
            }
            Step::Ask(n) if self.is_down(&name(n)) => {
                self.codes += 1;
                let asked = Event {
                    code: Some(format!("code{}", self.codes)),
                    expires_at: Some(self.now.plus(Duration::from_secs(300))),
                    ..self.about(Kind::ApprovalRequested, &name(n))
                };
                self.apply(asked);
            }
            Step::Answer(n, yes) if self.is_down(&name(n)) => {
                let kind = if yes { Kind::Approved } else { Kind::Denied };
                let answer = self.about(kind, &name(n));
                self.apply(answer);
            }
            Step::Deliver => self.deliver(),
            Step::Pass(seconds) => self.now = self.now.plus(Duration::from_secs(seconds)),
            _ => {}
        }
    }

    fn deliver(&mut self) {
        for channel in ["a", "b"] {
            let post = self.state.post.get(channel);
            let ids: Vec<String> = post
                .map_or(&[][..], |post| &post.outbox)
                .iter()
                .map(|message| message.id.clone())
                .collect();
            for id in ids {
                let arrived = Event {
                    channel: Some(channel.to_owned()),
                    receipt: Some(format!("r-{id}")),
                    id: Some(id),
                    ..Event::new(Kind::Notified, self.now, "r")
                };
                self.apply(arrived);
            }
        }
    }

    fn decisions(&self) -> Decisions {
        let mut list = Vec::new();
        for (subject, known) in &self.state.subjects {
            let Some(open) = &known.incident else {
                continue;
            };
            let memory = self.state.memory.get(subject);
            let asked = memory.and_then(|m| m.approval.as_ref());
            let pending = asked.is_some_and(|a| a.answer.is_none() && self.now < a.expires_at);
            list.push(Decision {
                subject: subject.clone(),
                condition: known.status,
                plan: Some("p".to_owned()),
                policy: Some(Policy::Ask),
                verdict: match (open.exhausted, pending) {
                    (true, _) => Verdict::Exhausted,
                    (false, true) => Verdict::AwaitingApproval,
                    (false, false) => Verdict::Backoff,
                },
                incident: Some(open.id.clone()),
                attempt: Some(open.attempts + 1),
                attempts: open.attempts,
                down_since: Some(open.down_since),
                next_attempt_at: None,
                because: vec![Reason::new(Code::Stale, "main last beat 412 s ago")],
                checks: Vec::new(),
                action: None,
                question: None,
            });
        }
        Decisions {
            list,
            ..Decisions::default()
        }
    }

    fn tell(&self, run: &str) -> Vec<Event> {
        let snapshot = Snapshot::new(self.now, "/m", Cells::default());
        tell(
            &Telling {
                snapshot: &snapshot,
                decisions: &self.decisions(),
                plans: &self.plans,
                channels: &["a".to_owned(), "b".to_owned()],
                done: &[],
                host: "h",
                run,
                now: self.now,
            },
            &self.state,
        )
    }

    /// The end of a run that has told everything.
    fn finish(&mut self) {
        let finished = Event {
            observed_at: Some(self.now),
            ..Event::new(Kind::RunFinished, self.now, "r")
        };
        self.apply(finished);
    }
}

/// What a channel gets, as what it is about: digests by the titles that they hold.
fn told(events: &[Event]) -> Vec<String> {
    let mut all = Vec::new();
    for event in events {
        let channel = event.channel.as_deref().unwrap_or_default();
        let Some(message) = &event.queued else {
            continue;
        };
        match message.occasion {
            Occasion::Digest => {
                let lines = message.text.lines();
                let lines = lines.filter_map(|line| line.strip_prefix("- "));
                all.extend(lines.map(|line| format!("{channel} {line}")));
            }
            _ => all.push(format!("{channel} {}", message.title)),
        }
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What was told is not told again, and nothing is told twice in one run.
    #[test]
    fn nobody_hears_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for (number, step) in steps.into_iter().enumerate() {
            world.take(step);
            let events = world.tell(&format!("r{number}"));
            for event in events {
                world.apply(event);
            }
            let again = world.tell("again");
            prop_assert!(again.is_empty(), "{again:?}");
            for channel in ["a", "b"] {
                let Some(post) = world.state.post.get(channel) else { continue };
                let bytes: usize = post.outbox.iter().map(size).sum();
                prop_assert!(post.outbox.len() <= MOST_WAITING && bytes <= MOST_BYTES);
            }
            world.finish();
        }
        let told = serde_json::to_string(&world.state).unwrap();
        let back: State = serde_json::from_str(&told).unwrap();
        prop_assert_eq!(back, world.state);
    }

    /// A run killed between any two lines leaves the next one exactly the rest.
    #[test]
    fn a_killed_run_s_successor_tells_the_rest(
        steps in prop::collection::vec(step(), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        let whole = world.tell("r1");
        let until = cut.index(whole.len() + 1);
        let mut parts = told(&whole[..until]);
        for event in &whole[..until] {
            world.apply(event.clone());
        }
        let rest = world.tell("r2");
        parts.extend(told(&rest));
        parts.sort();
        prop_assert_eq!(parts, told(&whole));
    }
}

#[test]
fn a_name_is_one_word_for_a_shell_and_no_markup() {
    for (name, wanted) in [
        ("a/main", "a/main"),
        ("gateway:x", "gateway:x"),
        ("a b/$(rm)", "'a b/$(rm)'"),
        ("it's", r"'it'\''s'"),
        ("a\nb", r"$'a\nb'"),
        ("a\u{1b}[31m'\\\u{202e}", r"$'a\x1b[31m\'\\\xe2\x80\xae'"),
        ("--root=x y", "-- '--root=x y'"),
        ("-a/main", "-- -a/main"),
    ] {
        assert_eq!(text::argument(name), wanted);
    }
    assert!(!text::title("x\u{1b}[31m\n", "down").contains(['\u{1b}', '\n']));
}
