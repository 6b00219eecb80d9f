//! What all evidence about a subject adds up to, and how far a single answer counts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::cell::{Beat, Code, Reason};
use crate::model::condition::Condition;
use crate::model::probe::{
    Answer, Evidence, Mark, Measured, Piece, Question, Standing, Streak, Word,
};
use crate::model::time::{Timestamp, human, millis};

/// What is remembered of a subject's probes: nothing of one that is good and has been.
pub type Streaks = BTreeMap<String, Streak>;

/// How far a probe is after an answer: `failures` bad ones in a row make it bad, `successes` good
/// ones in a row good again. What is no word about the subject neither counts nor interrupts.
#[must_use]
pub fn count(before: Streak, word: Word, failures: u32, successes: u32) -> Streak {
    let (against, needed) = match before.bad {
        false => (word == Word::Bad, failures),
        true => (word == Word::Good, successes),
    };
    match word {
        Word::NotAsked | Word::TooSoon => before,
        _ if !against => Streak { row: 0, ..before },
        _ if before.row.saturating_add(1) >= needed => Streak {
            bad: !before.bad,
            row: 0,
            ..before
        },
        _ => Streak {
            row: before.row.saturating_add(1),
            ..before
        },
    }
}

/// What a probe counts as that stands so far after this answer.
#[must_use]
pub fn standing(streak: Streak, word: Word) -> Standing {
    match (word, streak.bad) {
        (Word::NotAsked, _) => Standing::Unknown,
        (_, true) => Standing::Bad,
        (_, false) => Standing::Good,
    }
}

/// What pieces of evidence add up to: `healthy` where all are good, `dead` where none is,
/// `degraded` where some are, `unknown` where there are none. A piece that is not known could be
/// either; `None` where it depends on that.
#[must_use]
pub fn sum(pieces: impl IntoIterator<Item = Standing>) -> Option<Condition> {
    let (mut good, mut bad, mut unknown) = (false, false, false);
    for piece in pieces {
        match piece {
            Standing::Good => good = true,
            Standing::Bad => bad = true,
            Standing::Unknown => unknown = true,
        }
    }
    match (good, bad, unknown) {
        (true, true, _) => Some(Condition::Degraded),
        (_, _, true) => None,
        (true, false, false) => Some(Condition::Healthy),
        (false, true, false) => Some(Condition::Dead),
        (false, false, false) => Some(Condition::Unknown),
    }
}

/// Whether something has moved that must, and what is to be remembered of it. It moves where it was
/// never seen before, is another, or is more; whether it stands still can be told only `least`
/// after it was last seen to move.
#[must_use]
pub fn moved(
    before: Option<Mark>,
    is: Measured,
    now: Timestamp,
    least: Duration,
) -> (Word, Mark, String) {
    let mark = Mark {
        id: is.id,
        value: is.value,
        at: now,
    };
    let Some(before) = before else {
        let message = "there is nothing yet to hold that against";
        return (Word::Good, mark, message.to_owned());
    };
    if before.id != is.id {
        let message = "it is another than before";
        return (Word::Good, mark, message.to_owned());
    }
    // A clock that was set back must not make the mark young for ever.
    let since = now.since(before.at);
    if before.value != is.value || before.at > now {
        let message = format!("it has moved within {}", human(since));
        return (Word::Good, mark, message);
    }
    let message = format!("it has not moved for {}", human(since));
    match since < least {
        true => (Word::TooSoon, before, message),
        false => (Word::Bad, before, message),
    }
}

/// The heartbeat as a piece of evidence.
#[must_use]
pub fn heartbeat(beat: Option<&Beat>, standing: Standing, reasons: &[&Reason]) -> Piece {
    let told: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
    let message = match beat {
        _ if !told.is_empty() => told.join("; "),
        Some(beat) => format!("its last beat was {} s ago", beat.age_seconds),
        None => "it beats".to_owned(),
    };
    Piece {
        kind: "heartbeat",
        asked: "heartbeat".to_owned(),
        answer: match standing {
            Standing::Good => Word::Good,
            Standing::Bad => Word::Bad,
            Standing::Unknown => Word::NotAsked,
        },
        counts_as: standing,
        in_a_row: 0,
        of: 1,
        duration_ms: 0,
        message,
    }
}

/// What follows from the answers to a subject's questions, beside its heartbeat and what is
/// remembered of its probes. `least`: see [`moved`].
#[must_use]
pub fn weigh(
    heartbeat: Option<Piece>,
    answered: Vec<(&Question, Answer)>,
    before: Option<&Streaks>,
    now: Timestamp,
    least: Duration,
) -> Evidence {
    let mut evidence = Evidence::default();
    let probes_from = usize::from(heartbeat.is_some());
    evidence.pieces.extend(heartbeat);
    for (question, answer) in answered {
        let streak = before.and_then(|all| all.get(&question.key));
        let (piece, streak) = piece(question, answer, streak.copied(), now, least);
        evidence.pieces.push(piece);
        if streak != Streak::default() {
            evidence.streaks.insert(question.key.clone(), streak);
        }
    }
    evidence.sum = sum(evidence.pieces.iter().map(|piece| piece.counts_as));
    let unknown = match evidence.sum {
        // A look that failed, as any other.
        None => Code::Unreadable,
        Some(_) => Code::NotAsked,
    };
    for piece in &evidence.pieces[probes_from..] {
        let code = match piece.counts_as {
            Standing::Good => continue,
            Standing::Bad => Code::Probe,
            Standing::Unknown => unknown,
        };
        evidence
            .reasons
            .push(Reason::new(code, piece.message.clone()));
    }
    evidence
}

fn piece(
    question: &Question,
    answer: Answer,
    before: Option<Streak>,
    now: Timestamp,
    least: Duration,
) -> (Piece, Streak) {
    let mut before = before.unwrap_or_default();
    let (mut word, mut message) = (answer.word, answer.message);
    if let (Word::Good, Some(measured)) = (word, answer.measured) {
        let (moves, mark, told) = moved(before.mark, measured, now, least);
        (word, before.mark) = (moves, Some(mark));
        message = format!("{message}, and {told}");
    }
    let streak = count(before, word, question.failures, question.successes);
    let counts_as = standing(streak, word);
    let (failures, successes) = (question.failures, question.successes);
    let (in_a_row, of) = match streak.bad {
        false => (streak.row, failures),
        true => (streak.row, successes),
    };
    let mut message = format!("{}: {message}", answer.asked);
    if let (Word::Bad | Word::Good, 1..) = (word, in_a_row) {
        let (is, as_yet) = match streak.bad {
            false => ("bad", "good"),
            true => ("good", "bad"),
        };
        message.push_str(&format!(
            " ({is} {in_a_row} of {of} times in a row, and counts as {as_yet} until then)"
        ));
    }
    let piece = Piece {
        kind: question.kind,
        asked: answer.asked,
        answer: word,
        counts_as,
        in_a_row,
        of,
        duration_ms: millis(answer.took),
        message,
    };
    (piece, streak)
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
