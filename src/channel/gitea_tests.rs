//! Gitea, against a server that keeps to the real one's rules.

use std::time::Duration;

use super::*;
use crate::channel::fake::gitea::{self as fake, REPO, TOKEN, USER};
use crate::channel::fake::http::Server;
use crate::channel::samples::means;
use crate::model::channel::{SecretRef, Sensitive};
use crate::sys::host;

pub(super) type Service = Server<fake::Gitea>;

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub(super) fn settings(service: &Service) -> channel::Gitea {
    channel::Gitea {
        url: service.url(""),
        repo: REPO.into(),
        token: SecretRef::Env("T".into()),
        labels: Vec::new(),
        allowed_users: vec!["Ann".into(), "ben".into()],
        use_mission_issue: false,
    }
}

#[track_caller]
pub(super) fn made(settings: &channel::Gitea) -> Gitea {
    let mut secrets = |_: &SecretRef| Ok(Sensitive::new(format!("{TOKEN}\n")));
    Gitea::new(settings, &mut means(&mut secrets)).unwrap()
}

/// A message of an incident, by its own id.
pub(super) fn message(id: &str, occasion: Occasion) -> Message {
    Message {
        id: id.into(),
        occasion,
        at: host::now(),
        host: "h".into(),
        subject: Some("portal/main".into()),
        incident: Some("i1".into()),
        attempt: None,
        plan: None,
        title: format!("portal/main: {id}"),
        text: "since 10:00\n@ann #1".into(),
        question: None,
        issue: None,
        earlier: None,
        last: false,
    }
}

pub(super) fn question(code: &str) -> Question {
    Question {
        subject: "portal/main".into(),
        code: code.into(),
        asked_at: host::now(),
        expires_at: host::now().plus(Duration::from_secs(3600)),
        receipt: None,
    }
}

fn later(id: &str, receipt: &str, last: bool) -> Message {
    Message {
        earlier: Some(receipt.into()),
        last,
        ..message(id, Occasion::Recovered)
    }
}

/// The trouble of something; whatever it is, the token is not in it.
#[track_caller]
pub(super) fn trouble<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> Trouble {
    let trouble = outcome.unwrap_err();
    assert!(!trouble.why.contains(TOKEN), "{}", trouble.why);
    trouble
}

#[test]
fn an_incident_is_one_issue_from_its_beginning_to_its_end() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let first = channel
        .send(&message("m1", Occasion::Down), soon())
        .unwrap();
    assert_eq!(first, "ops/pool#1");
    let second = channel.send(&later("m2", &first, false), soon()).unwrap();
    assert!(second.starts_with("ops/pool#1-"), "{second}");
    channel.send(&later("m3", &second, true), soon()).unwrap();
    // The next incident of the same subject is another issue.
    let mut next = message("m4", Occasion::Down);
    next.incident = Some("i2".into());
    assert_eq!(channel.send(&next, soon()).unwrap(), "ops/pool#2");
    service.with(|g| {
        assert_eq!(
            (g.issues.len(), g.issues[0].open, g.issues[1].open),
            (2, false, true)
        );
        assert_eq!(g.issues[0].title, "[pool] portal/main: m1");
        let said = g.said(1);
        assert_eq!(said.len(), 2);
        assert!(
            said[1].contains("```text\nsince 10:00\n@ann #1\n```"),
            "{}",
            said[1]
        );
    });
}

/// Whatever answer is lost, and whatever memory with it: no second issue, no second comment.
#[test]
fn a_lost_answer_doubles_nothing() {
    for says_who in [true, false] {
        let service = fake::start();
        service.with(|g| g.says_who = says_who);
        for (id, last) in [("m1", false), ("m2", false), ("m3", true)] {
            service.with(|g| g.lose = 1);
            let sent = Message {
                last,
                ..message(id, Occasion::Down)
            };
            // Each time as another run does it, which knows nothing of any receipt.
            trouble(made(&settings(&service)).send(&sent, soon()));
            made(&settings(&service)).send(&sent, soon()).unwrap();
            made(&settings(&service)).send(&sent, soon()).unwrap();
        }
        // The answer to the closing is lost.
        service.with(|g| {
            g.issues[0].open = true;
            g.lose = 1;
        });
        let end = later("m4", "ops/pool#1", true);
        trouble(made(&settings(&service)).send(&end, soon()));
        service.with(|g| g.lose = 1);
        trouble(made(&settings(&service)).send(&end, soon()));
        made(&settings(&service)).send(&end, soon()).unwrap();
        service.with(|g| {
            assert_eq!((g.issues.len(), g.issues[0].open), (1, false));
            assert_eq!(g.said(1).len(), 3);
        });
    }
}

#[test]
fn its_issue_is_found_again_among_many_and_after_all_memory_was_lost() {
    for (page, counts, long) in [
        (50, true, false),
        (50, false, false),
        (30, true, false),
        (50, true, true),
    ] {
        let service = fake::start();
        let mut channel = made(&settings(&service));
        let filler = "x".repeat(if long { 40_000 } else { 10 });
        channel
            .send(&message("m1", Occasion::Down), soon())
            .unwrap();
        service.with(|g| {
            (g.page, g.counts) = (page, counts);
            for n in 0..120 {
                g.open("someone", &format!("issue {n}"), &filler);
            }
        });
        let again = channel
            .send(&message("m2", Occasion::Failed), soon())
            .unwrap();
        assert!(
            again.starts_with("ops/pool#1-"),
            "{again}: {page} {counts} {long}"
        );
        // A new state gives the incident a new id; the subject is the same, and so is its trouble.
        let mut anew = message("m3", Occasion::Down);
        anew.incident = Some("i9".into());
        let receipt = channel.send(&anew, soon()).unwrap();
        assert!(receipt.starts_with("ops/pool#1-"), "{receipt}");
        let end = Message {
            incident: Some("i9".into()),
            ..later("m4", &receipt, true)
        };
        channel.send(&end, soon()).unwrap();
        service.with(|g| assert_eq!((g.issues.len(), g.issues[0].open), (121, false)));
    }
}

/// A marker in somebody else's issue is no marker, and neither is one in the words of an agent.
#[test]
fn nobody_else_can_have_its_issue() {
    let service = fake::start();
    let sent = message("m1", Occasion::Down);
    let marker = text::incident_marker(&sent).unwrap();
    service.with(|g| g.open("eve", "come here", &marker));
    let mut channel = made(&settings(&service));
    assert_eq!(channel.send(&sent, soon()).unwrap(), "ops/pool#2");
    let other = Message {
        subject: Some("other/main".into()),
        incident: Some("i2".into()),
        text: format!("{marker}\n"),
        ..message("m2", Occasion::Down)
    };
    assert_eq!(channel.send(&other, soon()).unwrap(), "ops/pool#3");
    assert!(
        channel
            .send(&message("m3", Occasion::Failed), soon())
            .unwrap()
            .starts_with("ops/pool#2-")
    );
}

#[test]
fn an_issue_that_a_human_closed_or_removed_is_no_end_of_telling() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let receipt = channel
        .send(&message("m1", Occasion::Down), soon())
        .unwrap();
    service.with(|g| g.issues[0].open = false);
    // By its number, and by its marker.
    for (id, earlier) in [("m2", Some(receipt.clone())), ("m3", None)] {
        let sent = Message {
            earlier,
            ..message(id, Occasion::Failed)
        };
        assert!(
            channel
                .send(&sent, soon())
                .unwrap()
                .starts_with("ops/pool#1-"),
            "{id}"
        );
    }
    service.with(|g| assert!(!g.issues[0].open));
    service.with(|g| g.issues[0].number = 77);
    service.with(|g| g.issues[0].body.clear());
    assert_eq!(
        channel.send(&later("m4", &receipt, false), soon()).unwrap(),
        "ops/pool#2"
    );
}

#[test]
fn a_missions_own_issue_gets_the_comments_and_stays_open() {
    let service = fake::start();
    let plan = service.with(|g| g.open("ann", "Mission", "what we do"));
    let mut channel = made(&channel::Gitea {
        use_mission_issue: true,
        ..settings(&service)
    });
    let of = |id: &str, issue, last| Message {
        issue: Some(issue),
        last,
        ..message(id, Occasion::Down)
    };
    for (id, last) in [("m1", false), ("m2", true)] {
        service.with(|g| g.lose = 1);
        trouble(channel.send(&of(id, plan, last), soon()));
        let receipt = channel.send(&of(id, plan, last), soon()).unwrap();
        assert!(receipt.starts_with("ops/pool#1-"), "{receipt}");
    }
    service.with(|g| {
        assert_eq!(
            (g.issues.len(), g.issues[0].open, g.said(1).len()),
            (1, true, 2)
        )
    });
    // A number that agents made up is no reason to say nothing.
    assert_eq!(
        channel.send(&of("m3", 4711, false), soon()).unwrap(),
        "ops/pool#2"
    );
    // Where it is not asked for, the manifest's number means nothing.
    let mut plain = made(&settings(&service));
    assert!(
        plain
            .send(&of("m4", plan, false), soon())
            .unwrap()
            .starts_with("ops/pool#2-")
    );
}

#[test]
fn labels_are_looked_up_or_made_and_never_in_the_way() {
    let service = fake::start();
    service.with(|g| {
        g.labels = (1..=70).map(|n| (n, format!("label {n}"))).collect();
        g.page = 20;
    });
    let with = channel::Gitea {
        labels: vec!["label 66".into(), "pit".into(), "pit".into()],
        ..settings(&service)
    };
    let own = |id: &str, incident: &str| Message {
        incident: Some(incident.into()),
        subject: Some(incident.into()),
        ..message(id, Occasion::Down)
    };
    made(&with).send(&own("m1", "i1"), soon()).unwrap();
    made(&with).send(&own("m2", "i2"), soon()).unwrap();
    service.with(|g| {
        let (pit, name) = g.labels.last().cloned().unwrap();
        assert_eq!((g.labels.len(), &*name), (71, "pit"));
        assert!(g.issues.iter().all(|issue| issue.labels == [66, pit]));
        g.labels.pop();
        g.writes = false;
    });
    // Who may not make or set them tells what there is to tell all the same.
    made(&with).send(&own("m3", "i3"), soon()).unwrap();
    service.with(|g| assert!(g.issues[2].labels.is_empty()));
    let looked = made(&with).look(soon()).unwrap();
    assert!(looked.contains("labels are left out"), "{looked}");
}

#[test]
fn an_issue_that_depends_on_others_says_why_it_stays_open() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let receipt = channel
        .send(&message("m1", Occasion::Down), soon())
        .unwrap();
    service.with(|g| g.issues[0].blocked = true);
    let end = later("m2", &receipt, true);
    channel.send(&end, soon()).unwrap();
    channel.send(&end, soon()).unwrap();
    service.with(|g| {
        assert!(g.issues[0].open);
        assert_eq!(g.said(1).len(), 2);
        assert!(g.said(1)[1].contains("depends on others"));
    });
}

#[test]
fn what_is_wrong_is_said() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let mut send = || trouble(channel.send(&message("m1", Occasion::Down), soon()));
    service.with(|g| g.archived = true);
    let failed = send();
    assert!(failed.why.contains("423") && failed.why.contains("archived") && !failed.hopeless);
    service.with(|g| (g.archived, g.hidden) = (false, true));
    let failed = send();
    assert!(
        failed.why.contains("ops/pool") && !failed.hopeless,
        "{}",
        failed.why
    );
    service.with(|g| (g.hidden, g.broken) = (false, Some(403)));
    assert!(send().why.contains("may its user or token do that"));
    service.with(|g| g.broken = Some(422));
    assert!(send().hopeless);
    service.with(|g| (g.broken, g.limited) = (None, (1, 17)));
    assert_eq!(send().retry_after, Some(17));
    // In the right order, and only once, when it is over.
    channel
        .send(&message("m1", Occasion::Down), soon())
        .unwrap();
    service.with(|g| assert_eq!(g.issues.len(), 1));

    let mut wrong = |_: &SecretRef| Ok(Sensitive::new("other".into()));
    let mut other = Gitea::new(&settings(&service), &mut means(&mut wrong)).unwrap();
    assert!(trouble(other.look(soon())).why.contains("401"));
    let failed = trouble(other.send(&message("m2", Occasion::Down), soon()));
    assert!(
        failed.why.contains("the token") && !failed.hopeless,
        "{}",
        failed.why
    );
    for repo in ["", "ops", "ops/", "a/b/c", "../x", "o p/x", "ops/.."] {
        let bad = channel::Gitea {
            repo: repo.into(),
            ..settings(&service)
        };
        let outcome = Gitea::new(&bad, &mut means(&mut wrong));
        assert!(outcome.err().is_some_and(|t| t.hopeless), "{repo}");
    }
}

#[test]
fn it_can_be_looked_at_without_a_word_being_sent() {
    let service = fake::start();
    let mut channel = made(&settings(&service));
    let said = channel.look(soon()).unwrap();
    assert!(
        said.contains("1.24.3") && said.contains(USER) && said.contains(REPO),
        "{said}"
    );
    service.with(|g| g.says_who = false);
    assert!(channel.look(soon()).unwrap().contains("read:user"));
    service.with(|g| g.has_issues = false);
    assert!(trouble(channel.look(soon())).hopeless);
    service.with(|g| (g.has_issues, g.archived) = (true, true));
    assert!(trouble(channel.look(soon())).why.contains("archived"));
    assert!(
        service
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
}

#[test]
fn a_test_leaves_no_open_issue() {
    let service = fake::start();
    let test = Message {
        incident: None,
        subject: None,
        ..message("t1", Occasion::Test)
    };
    made(&settings(&service)).send(&test, soon()).unwrap();
    service.with(|g| assert!(!g.issues[0].open));
}
