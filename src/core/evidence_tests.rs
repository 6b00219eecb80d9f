use proptest::prelude::*;

use super::*;

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        Just(Word::Good),
        Just(Word::Bad),
        Just(Word::NotAsked),
        Just(Word::TooSoon)
    ]
}

fn piece_of_evidence() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Good),
        Just(Standing::Bad),
        Just(Standing::Unknown)
    ]
}

fn question(failures: u32, successes: u32) -> Question {
    Question {
        key: "tcp-1".into(),
        kind: "tcp",
        asks: Err(String::new()),
        timeout: Duration::from_secs(1),
        failures,
        successes,
        before: None,
    }
}

fn answer(word: Word) -> Answer {
    Answer {
        word,
        took: Duration::from_millis(3),
        asked: "tcp x:1".into(),
        message: "m".into(),
        measured: None,
    }
}

proptest! {
    /// The same said another way: what a probe counts as is what the last `failures` or
    /// `successes` answers agree on, since it last changed.
    #[test]
    fn it_takes_so_many_in_a_row(
        words in prop::collection::vec(word(), 0..40), failures in 1..5_u32, successes in 1..5_u32,
    ) {
        let (mut streak, mut bad, mut heard) = (Streak::default(), false, Vec::new());
        for word in words {
            streak = count(streak, word, failures, successes);
            if matches!(word, Word::Good | Word::Bad) {
                heard.push(word);
            }
            let (other, needed) = if bad { (Word::Good, successes) } else { (Word::Bad, failures) };
            let row = heard.iter().rev().take_while(|w| **w == other).count();
            if row >= needed as usize {
                bad = !bad;
                heard.clear();
            }
            prop_assert_eq!(streak.bad, bad);
            let most = if bad { successes } else { failures };
            prop_assert!(streak.row < most);
        }
    }

    /// One answer in a row that is needed: nothing is ever remembered but that it is bad.
    #[test]
    fn without_counts_it_is_what_it_last_answered(words in prop::collection::vec(word(), 1..20)) {
        let end = words.iter().fold(Streak::default(), |s, w| count(s, *w, 1, 1));
        let last = words.iter().rev().find(|w| matches!(w, Word::Good | Word::Bad));
        prop_assert_eq!(end, Streak { bad: last == Some(&Word::Bad), ..Streak::default() });
    }

    /// Whatever the pieces that are not known would have said, a sum that is told stays so, and one
    /// that is not told could be another; above all, nobody is dead by a piece that was not asked.
    #[test]
    fn a_sum_does_not_depend_on_what_is_not_known(
        pieces in prop::collection::vec(piece_of_evidence(), 0..6),
    ) {
        let told = sum(pieces.iter().copied());
        let open: Vec<usize> = (0..pieces.len()).filter(|n| pieces[*n] == Standing::Unknown).collect();
        let mut could = std::collections::BTreeSet::new();
        for bits in 0..1_u32 << open.len() {
            let mut full = pieces.clone();
            for (n, at) in open.iter().enumerate() {
                full[*at] = if bits >> n & 1 == 1 { Standing::Good } else { Standing::Bad };
            }
            could.insert(sum(full));
        }
        match told {
            Some(condition) => prop_assert_eq!(could, [Some(condition)].into()),
            None => prop_assert!(could.len() > 1 && !open.is_empty()),
        }
        if told == Some(Condition::Dead) {
            prop_assert!(pieces.iter().all(|p| *p == Standing::Bad) && !pieces.is_empty());
        }
    }

    /// The order of the pieces is nothing to the sum.
    #[test]
    fn a_sum_has_no_order(pieces in prop::collection::vec(piece_of_evidence(), 0..6)) {
        prop_assert_eq!(sum(pieces.iter().copied()), sum(pieces.iter().rev().copied()));
    }

    /// A mark is never from the future, changes exactly where something moved, and a thing that
    /// stands still is bad once it has stood for long enough, whoever looks however often.
    #[test]
    fn standing_still_is_seen_however_often_it_is_looked_at(
        looks in prop::collection::vec((0..90_i64, 0..3_u64), 1..30),
    ) {
        let least = Duration::from_secs(30);
        let (mut now, mut mark, mut since, mut value) = (Timestamp::from_secs(0), None, None, 0);
        for (later, more) in looks {
            now = now.plus(Duration::from_secs(later as u64));
            let before: Option<u64> = mark.map(|m: Mark| m.value);
            value += more / 2;
            let (word, next, _) = moved(mark, Measured { id: 1, value }, now, least);
            if before != Some(value) {
                since = Some(now);
            }
            prop_assert_eq!(next, Mark { id: 1, value, at: since.unwrap() });
            let stood = now.since(since.unwrap());
            let wanted = match before == Some(value) {
                false => Word::Good,
                true if stood < least => Word::TooSoon,
                true => Word::Bad,
            };
            prop_assert_eq!(word, wanted);
            mark = Some(next);
        }
    }
}

#[test]
fn all_some_none_and_nothing() {
    use Standing::{Bad, Good, Unknown};
    for (pieces, wanted) in [
        (&[][..], Some(Condition::Unknown)),
        (&[Good, Good], Some(Condition::Healthy)),
        (&[Bad, Bad], Some(Condition::Dead)),
        (&[Good, Bad], Some(Condition::Degraded)),
        (&[Good, Bad, Unknown], Some(Condition::Degraded)),
        (&[Bad, Unknown], None),
        (&[Good, Unknown], None),
        (&[Unknown], None),
    ] {
        assert_eq!(sum(pieces.iter().copied()), wanted, "{pieces:?}");
    }
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_young_for_ever() {
    let at = Timestamp::from_secs;
    let mark = Mark {
        id: 1,
        value: 5,
        at: at(1000),
    };
    let is = Measured { id: 1, value: 5 };
    let least = Duration::from_secs(30);
    let (word, mark, _) = moved(Some(mark), is, at(100), least);
    assert_eq!((word, mark.at), (Word::Good, at(100)));
    assert_eq!(moved(Some(mark), is, at(160), least).0, Word::Bad);
}

#[test]
fn what_is_told_of_an_answer() {
    let (q, now) = (question(3, 2), Timestamp::from_secs(0));
    let weigh = |word, before: Option<&Streaks>| {
        weigh(None, vec![(&q, answer(word))], before, now, Duration::ZERO)
    };
    let first = weigh(Word::Bad, None);
    assert_eq!(first.sum, Some(Condition::Healthy));
    assert_eq!(
        first.pieces[0].message,
        "tcp x:1: m (bad 1 of 3 times in a row, and counts as good until then)"
    );
    assert!(first.reasons.is_empty());
    let second = weigh(Word::Bad, Some(&first.streaks));
    // One that cannot be asked changes nothing of the count, and is not known.
    let unasked = weigh(Word::NotAsked, Some(&second.streaks));
    assert_eq!(unasked.streaks, second.streaks);
    assert_eq!(unasked.sum, None);
    assert_eq!(unasked.reasons[0].code, Code::Unreadable);
    let third = weigh(Word::Bad, Some(&unasked.streaks));
    assert_eq!(third.sum, Some(Condition::Dead));
    assert_eq!(third.reasons[0].message, "tcp x:1: m");
    let good = weigh(Word::Good, Some(&third.streaks));
    assert_eq!(good.sum, Some(Condition::Dead));
    let good = weigh(Word::Good, Some(&good.streaks));
    assert_eq!(good.sum, Some(Condition::Healthy));
    assert!(good.streaks.is_empty(), "nothing is left to remember");
}
