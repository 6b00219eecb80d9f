//! The plans and settings of a made-up world.

use std::time::Duration;

use super::random::Random;
use crate::core::rules::Rules;
use crate::model::condition::Condition;
use crate::model::decision::Policy;
use crate::model::protection::Protection;
use crate::model::step::{Run, Step};
use crate::plan::glob::Glob;
use crate::plan::types::{
    Approval, Backoff, Limits, Match, Need, NeedKind, Notify, OnExit, OnReport, Plan, Source, When,
};
use crate::plan::{PlanSet, Template};

/// All that a world is decided by.
pub(super) struct Laws {
    pub(super) plans: PlanSet,
    pub(super) protection: Protection,
    pub(super) restarts_per_run: u32,
    pub(super) gap: Duration,
}

impl Laws {
    pub(super) fn rules(&self, state_lost: bool) -> Rules<'_> {
        Rules {
            plans: &self.plans,
            protection: &self.protection,
            restarts_per_run: self.restarts_per_run,
            gap: self.gap,
            force: false,
            state_lost,
        }
    }

    pub(super) fn plan(&self, name: &str) -> &Plan {
        self.plans.plans().iter().find(|p| p.name == name).unwrap()
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn laws(random: &mut Random) -> Laws {
    let plans = match random.below(4) {
        // A plan a label, so that several kinds live side by side.
        0 => vec![
            plan(random, "a", "1"),
            plan(random, "b", "2"),
            plan(random, "c", "3"),
        ],
        1 => vec![plan(random, "a", "1"), plan(random, "b", "2")],
        _ => vec![
            plan(random, "a", "1"),
            plan(random, "b", "2"),
            gateways(random),
            everyone(random),
        ],
    };
    Laws {
        plans: PlanSet::new(plans),
        protection: Protection {
            min_subjects: random.one_of(&[3, 5, 10]),
            fraction: random.one_of(&[0.5, 0.6, 1.0]),
            canary: random.one_of(&[0, 1, 1, 2]),
            ..Protection::default()
        },
        restarts_per_run: random.one_of(&[1, 2, 10]),
        gap: secs(random.one_of(&[180, 600])),
    }
}

fn plan(random: &mut Random, name: &str, kind: &str) -> Plan {
    let mut plan = everyone(random);
    plan.name = name.to_owned();
    plan.hash = format!("{name}-1");
    plan.matches.labels = [("kind".to_owned(), kind.to_owned())].into();
    if random.one_in(3) {
        plan.needs = vec![Need {
            text: "gateway:g".into(),
            kind: NeedKind::Gateway("g".into()),
        }];
    }
    plan
}

fn gateways(random: &mut Random) -> Plan {
    let mut plan = everyone(random);
    plan.name = "gateways".into();
    plan.hash = "gateways-1".into();
    plan.when.status = vec![Condition::Exited, Condition::Dead];
    plan.matches.gateways = vec![Glob::new("*").unwrap()];
    plan
}

fn everyone(random: &mut Random) -> Plan {
    let run = Run {
        command: vec![Template::literal("true")],
        cwd: None,
        env: std::collections::BTreeMap::new(),
        user: None,
        timeout: secs(30),
        grace: secs(5),
    };
    Plan {
        name: "everyone".into(),
        description: None,
        source: Source {
            file: "p.yaml".into(),
            line: 1,
        },
        hash: "everyone-1".into(),
        matches: Match::default(),
        when: When {
            status: match random.below(3) {
                0 => vec![Condition::Stale],
                1 => vec![
                    Condition::Stale,
                    Condition::Uninitialized,
                    Condition::Exited,
                ],
                _ => vec![Condition::Stale, Condition::Exited],
            },
            r#for: secs(random.one_of(&[0, 0, 120, 600])),
        },
        stale_after: None,
        max_quiet: None,
        probes: Vec::new(),
        policy: random.one_of(&[
            Policy::Auto,
            Policy::Auto,
            Policy::Auto,
            Policy::Ask,
            Policy::Never,
        ]),
        steps: vec![Step::Run(run)],
        limits: Limits {
            attempts: random.one_of(&[1, 2, 3, 5]),
            within: secs(random.one_of(&[600, 3600, 3600, 86_400])),
            backoff: Backoff {
                initial: secs(random.one_of(&[1, 30, 300])),
                factor: random.one_of(&[1.0, 2.0]),
                max: secs(900),
                jitter: random.one_of(&[0.0, 0.1, 0.5]),
            },
        },
        on_exit: OnExit {
            finished: vec![0],
            permanent: vec![78],
        },
        on_report: OnReport {
            finished: vec!["done".into()],
            tolerated: vec!["idle".into()],
        },
        verify_within: secs(random.one_of(&[30, 120, 600])),
        approval: Approval {
            expires: secs(random.one_of(&[120, 300])),
            ask_again: secs(random.one_of(&[600, 3600])),
            channels: Vec::new(),
        },
        notify: Notify::default(),
        needs: Vec::new(),
        maintenance: Vec::new(),
        tests: Vec::new(),
    }
}
