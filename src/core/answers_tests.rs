//! Whatever is said: it counts exactly if it answers an open question of this channel, in time, for
//! the plan that was asked about; and once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::core::ledger;
use crate::model::post::{Asked, Marks, Told, ToldIncident};
use crate::model::state::{Answer, Memory};
use crate::plan;

const PLAN: &str = "name: p\npolicy: ask\nsteps: [{run: [x]}]\napproval: {channels: [ch]}\n";

/// The moment of reading.
const NOW: i64 = 1_795_240_000;

/// A question, and what is said to it.
#[derive(Clone, Debug)]
struct Case {
    put_here: bool,
    answered: Option<AnswerKind>,
    replaced: bool,
    plan_changed: bool,
    /// When it was asked, expires, and the words were said: seconds from now.
    asked: i64,
    expires: i64,
    said: i64,
    /// The code that the words name: the right one, or another.
    code: Option<bool>,
    /// The subject, the same.
    subject: Option<bool>,
    refused: bool,
    heard_before: bool,
    yes: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let mostly = |likely: bool| prop_oneof![9 => Just(likely), 1 => Just(!likely)];
    let named = || prop_oneof![6 => Just(Some(true)), 1 => Just(Some(false)), 3 => Just(None)];
    let answered = prop_oneof![
        8 => Just(None),
        1 => Just(Some(AnswerKind::Approved)),
        1 => Just(Some(AnswerKind::Denied)),
        1 => Just(Some(AnswerKind::Expired)),
    ];
    let first = (mostly(true), answered, mostly(false), mostly(false));
    let times = (-300..0_i64, -20..300_i64, -320..60_i64);
    let words = (
        named(),
        named(),
        mostly(false),
        mostly(false),
        any::<bool>(),
    );
    (first, times, words).prop_map(|(first, times, words)| Case {
        put_here: first.0,
        answered: first.1,
        replaced: first.2,
        plan_changed: first.3,
        asked: times.0,
        expires: times.1,
        said: times.2,
        code: words.0,
        subject: words.1,
        refused: words.2,
        heard_before: words.3,
        yes: words.4,
    })
}

fn plans() -> PlanSet {
    let files = [plan::File {
        name: "p.yaml".to_owned(),
        text: PLAN.as_bytes().to_vec(),
    }];
    plan::load(&files, &plan::Known::default()).0
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW + seconds)
}

impl Case {
    fn state(&self, plans: &PlanSet) -> State {
        let mut state = State::default();
        let hash = plans.plans()[0].hash.clone();
        let approval = Approval {
            incident: "i1".into(),
            attempt: 1,
            plan: "p".into(),
            plan_hash: if self.plan_changed {
                "old".into()
            } else {
                hash
            },
            code: "right".into(),
            asked_at: at(self.asked),
            expires_at: at(self.expires),
            ask_again_ms: 3_600_000,
            answer: self.answered.map(|kind| Answer {
                kind,
                by: "operator:ann".into(),
                at: at(self.asked),
                until: None,
            }),
            channels: vec!["ch".into()],
        };
        let approval = match self.replaced {
            true => Approval {
                code: "newer".into(),
                ..approval
            },
            false => approval,
        };
        state.memory.insert(
            "a/main".into(),
            Memory {
                approval: Some(approval),
                ..Memory::default()
            },
        );
        let marks = Marks {
            asked: Some(Asked {
                code: "right".into(),
                delivered: true,
                receipt: None,
                settled: false,
            }),
            ..Marks::default()
        };
        let channel = if self.put_here { "ch" } else { "other" };
        let incident = ToldIncident {
            id: "i1".into(),
            closed: None,
            channels: BTreeMap::from([(channel.to_owned(), marks)]),
        };
        let told = Told {
            incidents: vec![incident],
            ..Told::default()
        };
        state.told.insert("a/main".into(), told);
        let post = state.post.entry("ch".into()).or_default();
        if self.heard_before {
            post.heard.push("h1".into());
        }
        state
    }

    fn words(&self) -> Heard {
        let named = |right: Option<bool>, yes: &str, no: &str| {
            right.map(|right| if right { yes } else { no }.to_owned())
        };
        Heard {
            id: "h1".into(),
            who: "42".into(),
            at: at(self.said),
            yes: self.yes,
            code: named(self.code, "right", "wrong"),
            subject: named(self.subject, "a/main", "b/main"),
            refused: self.refused.then(|| "a stranger".to_owned()),
        }
    }

    /// What the contract says of it.
    fn counts(&self) -> bool {
        let meant = match (self.code, self.subject) {
            (Some(right), _) | (None, Some(right)) => right,
            (None, None) => false,
        };
        let open = self.put_here && self.answered.is_none() && !self.replaced;
        let said = self.said.min(0);
        let in_time = (0 < self.expires || said < self.expires) && self.asked <= said + 1;
        meant && open && in_time && !self.refused && !self.plan_changed
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn words_count_if_they_answer_an_open_question_and_once(case in case()) {
        let plans = plans();
        let mut state = case.state(&plans);
        let words = case.words();
        let Some(event) = event(&state, &plans, "ch", &words, at(0), "r") else {
            prop_assert!(case.heard_before);
            return Ok(());
        };
        prop_assert!(!case.heard_before);
        prop_assert_eq!(&event.actor, "channel:ch:42");
        let kind = match (case.counts(), case.yes) {
            (true, true) => Kind::Approved,
            (true, false) => Kind::Denied,
            (false, _) => Kind::Heard,
        };
        prop_assert_eq!(event.event, kind, "{:?}", event);
        // What is ignored is recorded, with the reason.
        prop_assert_eq!(event.reason.is_some(), kind == Kind::Heard);
        let before = state.memory.clone();
        ledger::apply(&mut state, &Event { seq: 1, ..event });
        prop_assert_eq!(kind == Kind::Heard, before == state.memory);
        // The same words come to nothing, and others to no second answer.
        prop_assert!(super::event(&state, &plans, "ch", &words, at(0), "r").is_none());
        let others = Heard { id: "h2".into(), yes: !case.yes, ..words };
        let again = super::event(&state, &plans, "ch", &others, at(0), "r");
        prop_assert_eq!(again.map(|event| event.event), Some(Kind::Heard));
    }
}
