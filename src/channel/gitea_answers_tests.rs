//! Answers on Gitea, as people give them.

use super::tests::{made, message, question, settings, soon, trouble};
use super::*;
use crate::channel::fake::gitea as fake;
use crate::model::channel::Heard;

/// Asks, and gives the question with its receipt.
#[track_caller]
fn ask(channel: &mut Gitea, id: &str, code: &str, issue: Option<u64>) -> Question {
    let mut asked = question(code);
    let sent = Message {
        question: Some(asked.clone()),
        issue,
        ..message(id, Occasion::Asked)
    };
    asked.receipt = Some(channel.send(&sent, soon()).unwrap());
    asked
}

#[track_caller]
fn hear(
    channel: &mut Gitea,
    cursor: Option<&str>,
    open: &[Question],
) -> (Vec<Heard>, Option<String>) {
    let said = channel.hear(cursor, open, soon()).unwrap();
    (said.all, said.cursor)
}

#[test]
fn a_comment_by_an_allowed_user_answers() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let asked = [ask(&mut channel, "m1", "c1", None)];
    assert_eq!(hear(&mut channel, None, &asked), (Vec::new(), None));
    let id = service.with(|g| {
        g.comment(1, "ann", "Let me see.");
        g.comment(1, "ANN", "It is out of memory.\n\n /Revive \n")
    });
    let (heard, cursor) = hear(&mut channel, None, &asked);
    assert_eq!(heard.len(), 1);
    assert_eq!((&*heard[0].id, heard[0].yes), (&*id.to_string(), true));
    assert_eq!((&*heard[0].who, &heard[0].refused), ("ANN", &None));
    assert_eq!(heard[0].subject.as_deref(), Some("portal/main"));
    assert_eq!(heard[0].code.as_deref(), Some("c1"));
    // Told once, and by the same id where all memory was lost.
    let (again, cursor) = hear(&mut channel, cursor.as_deref(), &asked);
    assert_eq!(again, []);
    assert_eq!(hear(&mut channel, None, &asked).0[0].id, heard[0].id);
    // A second question in the same issue: what was said before it is no answer to it.
    let second = [ask(&mut channel, "m2", "c2", None)];
    let (heard, _) = hear(&mut channel, None, &second);
    assert!(heard[0].refused.as_ref().unwrap().contains("older"));
    service.with(|g| g.comment(1, "ben", "/skip portal/main"));
    let (heard, _) = hear(&mut channel, cursor.as_deref(), &second);
    assert_eq!((heard.len(), heard[0].yes), (1, false));
    assert_eq!((&heard[0].code, &heard[0].refused), (&None, &None));
}

#[test]
fn what_is_no_answer_is_refused_or_passed_over() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let asked = [ask(&mut channel, "m1", "c1", None)];
    let refusal = |body: &str, who: &str| -> Option<String> {
        service.with(|g| {
            g.comments.clear();
            g.comment(1, who, body)
        });
        let (heard, _) = hear(&mut made(&settings(&service)), None, &asked);
        heard
            .first()
            .map(|heard| heard.refused.clone().unwrap_or_default())
    };
    assert_eq!(
        refusal("/revive", "eve").as_deref(),
        Some("not an allowed user")
    );
    assert!(
        refusal("/revive\n/skip", "ann")
            .unwrap()
            .contains("several things")
    );
    for chatter in [
        "revive",
        "> /revive",
        "```\n/revive\n```",
        "<!-- lazarus-pit:message m9 -->\n\n/revive",
    ] {
        assert_eq!(refusal(chatter, "ann"), None, "{chatter}");
    }
    // Whom it names is told, for the one who asked to judge.
    assert_eq!(refusal("/revive other/main", "ann").as_deref(), Some(""));
    assert_eq!(refusal("/revive c1", "ann").as_deref(), Some(""));
    assert_eq!(
        refusal("/revive portal/main now, please", "ann").as_deref(),
        Some("")
    );
    // A comment that somebody else may have changed.
    service.with(|g| {
        g.comments.clear();
        g.comment(1, "ann", "/revive");
        g.comments[0].updated += 60;
    });
    let (heard, _) = hear(&mut channel, None, &asked);
    assert!(heard[0].refused.as_ref().unwrap().contains("changed"));
}

#[test]
fn one_issue_with_several_questions_wants_a_name() {
    let service = fake::start();
    service.with(|g| g.open("ann", "Mission", ""));
    let mut channel = made(&channel::Gitea {
        use_mission_issue: true,
        ..settings(&service)
    });
    let one = ask(&mut channel, "m1", "c1", Some(1));
    let mut two = ask(&mut channel, "m2", "c2", Some(1));
    two.subject = "portal/second".into();
    let open = [one, two];
    service.with(|g| {
        g.comment(1, "ann", "/revive");
        g.comment(1, "ann", "/skip portal/second");
        g.comment(1, "ann", "/revive c1");
    });
    let (heard, _) = hear(&mut channel, None, &open);
    let parts: Vec<_> = heard
        .iter()
        .map(|h| (h.subject.as_deref(), h.refused.is_some()))
        .collect();
    assert_eq!(
        parts,
        [
            (None, true),
            (Some("portal/second"), false),
            (Some("portal/main"), false)
        ]
    );
}

#[test]
fn an_issue_that_is_gone_or_in_trouble_harms_no_other() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let gone = Question {
        receipt: Some("ops/pool#4711".into()),
        ..question("c0")
    };
    let elsewhere = Question {
        receipt: Some("other/repo#1".into()),
        ..question("c9")
    };
    let asked = ask(&mut channel, "m1", "c1", None);
    service.with(|g| g.comment(1, "ann", "/revive"));
    let (heard, _) = hear(&mut channel, None, &[gone, elsewhere, asked.clone()]);
    assert_eq!(heard.len(), 1);
    service.with(|g| g.limited = (1, 5));
    let failed = trouble(channel.hear(None, std::slice::from_ref(&asked), soon()));
    assert_eq!(failed.retry_after, Some(5));
    // A flood that is more than anybody reads in a run.
    service.with(|g| g.comment(1, "eve", &"x".repeat(2 << 20)));
    let failed = trouble(channel.hear(None, &[asked], soon()));
    assert!(failed.why.contains("approve"), "{}", failed.why);
}
