//! The rules about single attempts.

use super::oracle::{Oracle, Seen, is_done, last_attempt, look};
use crate::model::condition::Condition;
use crate::model::decision::{Policy, Verdict};
use crate::model::event::{Event, Kind};
use crate::model::time::Timestamp;
use crate::plan::Plan;

impl Oracle {
    /// One attempt that was begun.
    pub(super) fn attempt(&mut self, seen: &Seen<'_>, intent: &Event) {
        self.count("attempt");
        let name = intent.subject.clone().unwrap();
        let plan = seen.laws.plan(intent.plan.as_deref().unwrap());
        let now = seen.snapshot.taken_at;
        let view = look(seen.snapshot, &name).unwrap();
        self.rule(seen, view.observed, "acted on what was not seen", &name);
        let condition = view.condition(Some(plan));
        let asked = plan.when.status.contains(&condition);
        self.rule(
            seen,
            asked,
            "acted on a condition that the plan does not act on",
            &name,
        );
        let well = view.base == Condition::Healthy && condition == Condition::Healthy;
        self.rule(seen, !well, "acted on a healthy subject", &name);
        self.rule(seen, !view.frozen(), "acted on a frozen cell", &name);
        let pause = |name: &str| seen.before.memory.get(name).and_then(|m| m.pause.as_ref());
        let paused = pause(&name).is_some_and(|p| p.until.is_none_or(|until| now < until));
        self.rule(seen, !paused, "acted on a paused subject", &name);
        let code = view
            .ended
            .and_then(|e| e.exit_code)
            .filter(|_| condition == Condition::Exited);
        self.rule(seen, code != Some(0), "acted on what was done", &name);
        let idle = view
            .report()
            .is_some_and(|word| matches!(word, "idle" | "done"));
        self.rule(seen, !idle, "acted on what was excused", &name);
        for need in &plan.needs {
            let view = look(seen.snapshot, &need.text);
            let up = view.is_some_and(|v| v.base == Condition::Healthy || is_done(seen, &v));
            let same = need.text == name;
            self.rule(
                seen,
                up || same,
                "acted before what it needs was healthy",
                &name,
            );
        }
        self.consent(seen, intent, plan, &name);
        self.limits(seen, plan, &name);
        let began = (intent.ts, seen.host.minutes);
        self.attempts.entry(name).or_default().push(began);
    }

    fn consent(&mut self, seen: &Seen<'_>, intent: &Event, plan: &Plan, name: &str) {
        let agreed = self.agreed.remove(name);
        match plan.policy {
            Policy::Auto => {}
            Policy::Never => self.rule(seen, false, "acted under policy never", name),
            Policy::Ask => {
                let wanted = (
                    intent.incident.clone().unwrap(),
                    intent.attempt.unwrap(),
                    plan.hash.clone(),
                );
                self.rule(
                    seen,
                    agreed == Some(wanted),
                    "acted without a yes to this attempt",
                    name,
                );
            }
        }
    }

    /// Budget, backoff, verification, and how long it must have been down.
    fn limits(&mut self, seen: &Seen<'_>, plan: &Plan, name: &str) {
        let now = seen.snapshot.taken_at;
        let made = self.attempts.get(name).cloned().unwrap_or_default();
        let counted = self.in_window(name, plan, now);
        let allowed = plan.limits.attempts as usize;
        self.rule(
            seen,
            counted < allowed,
            "more attempts than the budget has",
            name,
        );
        let steady = |since: u64| seen.host.clock_set.is_none_or(|set| set < since);
        if let Some((last, minute)) = made.last().filter(|(_, m)| steady(*m)) {
            let backoff = &plan.limits.backoff;
            let grown =
                backoff.initial.as_secs_f64() * backoff.factor.powi(counted.max(1) as i32 - 1);
            let least = grown.min(backoff.max.as_secs_f64()) * (1.0 - backoff.jitter);
            let waited = now.since(*last).as_secs_f64();
            self.rule(
                seen,
                counted == 0 || waited + 1e-3 >= least,
                "acted before the backoff was over",
                name,
            );
            let attempt = last_attempt(seen.before, name);
            let died = look(seen.snapshot, name)
                .and_then(|v| v.ended.filter(|end| end.at >= *last))
                .is_some();
            let shown = attempt.is_none_or(|a| a.verify_until.is_none_or(|until| now >= until));
            self.rule(
                seen,
                shown || died || *minute > seen.host.minutes,
                "acted while an attempt could still show",
                name,
            );
        }
        // Under another plan other conditions count, from the beginning.
        let same = |of: &Option<String>| of.as_ref().is_none_or(|of| *of == plan.name);
        let known = self.otherwise.get(name);
        if let Some(((otherwise, _), _)) = known.filter(|((_, m), of)| steady(*m) && same(of)) {
            let down = now.since(*otherwise);
            self.rule(
                seen,
                down >= plan.when.r#for,
                "acted on what was not down for long enough",
                name,
            );
        }
    }

    /// How many attempts lie in the window, or in the future (the clock has gone back since).
    fn in_window(&self, name: &str, plan: &Plan, now: Timestamp) -> usize {
        let begins = now.minus(plan.limits.within);
        let made = self.attempts.get(name);
        made.map_or(0, |made| made.iter().filter(|(at, _)| *at > begins).count())
    }

    /// Only what an attempt has started shows that it worked.
    pub(super) fn recoveries(&mut self, seen: &Seen<'_>) {
        let now = seen.snapshot.taken_at;
        let closed = |e: &&Event| {
            e.event == Kind::IncidentClosed && e.reason.as_deref() == Some("recovered")
        };
        for event in seen.events.iter().filter(closed) {
            let name = event.subject.clone().unwrap();
            let Some(last) = last_attempt(seen.before, &name) else {
                continue;
            };
            let ended = last.ended.filter(|ended| *ended <= now);
            let open = last.verify_until.is_some_and(|until| now < until);
            let of_it = event.incident.as_ref() == Some(&last.incident);
            let beat = look(seen.snapshot, &name).and_then(|v| v.cell.and(v.beat));
            if let (Some(ended), Some(beat), true, true) = (ended, beat, open, of_it) {
                let news = beat.last > ended;
                self.count("recovered by news");
                self.rule(seen, news, "an old beat counts as recovery", &name);
            }
        }
    }

    /// Whoever asks is told the same instant.
    pub(super) fn backoff_is_told_once(&mut self, seen: &Seen<'_>) {
        for decision in seen
            .decisions
            .list
            .iter()
            .filter(|d| d.verdict == Verdict::Backoff)
        {
            let name = &decision.subject;
            let plan = seen.laws.plan(decision.plan.as_deref().unwrap());
            let used = self.in_window(name, plan, seen.snapshot.taken_at);
            let (Some(last), Some(next)) =
                (last_attempt(seen.before, name), decision.next_attempt_at)
            else {
                // An attempt that was settled in this very run.
                continue;
            };
            let key = (
                name.clone(),
                format!("{} {} {}", plan.name, last.r#ref, last.at),
                used,
            );
            let told = *self.due.entry(key).or_insert(next);
            self.rule(
                seen,
                told == next,
                "the next attempt is due at another moment than was said",
                name,
            );
        }
    }
}
