//! A plan's own tests.

use super::Check;
use crate::model::state::AnswerKind;
use crate::plan::raw::tests::{Answer, RawExpect, RawGiven, RawTest};
use crate::plan::types::{Expect, Given, Source, Test};
use crate::yaml::{Place, Spanned};

impl Check<'_, '_> {
    pub(super) fn test(&mut self, raw: Spanned<RawTest>) -> Option<Test> {
        let Spanned { value: raw, place } = raw;
        if raw.name.value.trim().is_empty() {
            self.problems
                .error(raw.name.place, "a test's name must not be empty");
        }
        let expect = self.expected(raw.expect);
        Some(Test {
            name: raw.name.value,
            source: Source {
                file: self.file.to_owned(),
                line: place.line,
            },
            given: self.given(raw.given)?,
            expect,
        })
    }

    fn given(&mut self, raw: RawGiven) -> Option<Given> {
        self.subject(&raw.subject.value, raw.subject.place);
        if let Some(code) = &raw.exit_code
            && !(0..=255).contains(&code.value)
        {
            let message = format!(
                "an exit code lies between 0 and 255, {} does not",
                code.value
            );
            self.problems.error(code.place, message);
        }
        let down = raw.down.unwrap_or_default().0;
        for subject in &down {
            self.subject(&subject.value, subject.place);
        }
        Some(Given {
            subject: raw.subject.value,
            status: raw.status,
            down_for: raw.down_for.map(|s| s.0).unwrap_or_default(),
            attempts: raw.attempts.unwrap_or(0),
            last_attempt: raw.last_attempt.map(|s| s.0),
            labels: self.labels(raw.labels.unwrap_or_default()),
            frozen: raw.frozen.unwrap_or(false),
            report: raw.report,
            exit_code: raw.exit_code.map(|code| code.value),
            paused: raw.paused.unwrap_or(false),
            answer: raw.answer.map(|answer| match answer {
                Answer::Approved => AnswerKind::Approved,
                Answer::Denied => AnswerKind::Denied,
                Answer::Expired => AnswerKind::Expired,
            }),
            down: down.into_iter().map(|s| s.value).collect(),
            now: match raw.now {
                Some(now) => Some(self.time(now)?),
                None => None,
            },
        })
    }

    fn subject(&mut self, name: &str, place: Place) {
        let good = match name.strip_prefix("gateway:") {
            Some(name) => !name.is_empty() && !name.contains('/'),
            None => matches!(name.split('/').collect::<Vec<_>>()[..],
                [cell, agent] if !cell.is_empty() && !agent.is_empty()),
        };
        if !good {
            let message =
                format!("`{name}` is no subject: they are `CELL/AGENT` or `gateway:NAME`");
            self.problems.error(place, message);
        }
    }

    fn expected(&mut self, raw: Spanned<RawExpect>) -> Expect {
        let Spanned { value: raw, place } = raw;
        let words = |words: Vec<Spanned<String>>| words.into_iter().map(|w| w.value).collect();
        let expect = Expect {
            verdict: raw.verdict,
            steps: raw.steps.map(|n| n as usize),
            command: raw.command.map(words),
            plan: raw.plan,
            next_in: raw.next_in.map(|s| s.0),
            because: raw.because,
        };
        if expect == Expect::default() {
            self.problems
                .error(place, "a test that expects nothing shows nothing");
        }
        expect
    }
}
