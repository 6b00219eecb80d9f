//! Whole lives over separate runs of the real program, one for each kind of channel on which people
//! answer: down, asked, answered, revived, told of, recovered. Telegram's are in `asking`.

use std::os::unix::fs::chown;

use serde_json::json;

use crate::fake::gitea::{self, Gitea};
use crate::fake::ntfy::{self, Ntfy};
use crate::people::People;
use crate::world::{NOBODY, is_root};

pub(crate) fn on_gitea(more: &str) -> People<Gitea> {
    let server = gitea::start();
    let settings = format!(
        "kind: gitea, url: '{}', repo: {}, token: {{env: CHANNEL_SECRET}}, labels: [pit], \
         allowed_users: [ann]{more}",
        server.url(""),
        gitea::REPO
    );
    People::new(server, &settings, gitea::TOKEN)
}

#[test]
fn on_gitea_an_incident_is_an_issue_from_its_opening_to_its_end() {
    let scene = on_gitea("");
    scene.decides("awaiting_approval").code(1);
    let issue = scene.server.with(|g| {
        assert_eq!(g.issues.len(), 1);
        assert_eq!(g.labels.len(), 1, "the label was made");
        g.issues[0].clone()
    });
    assert!(issue.title.starts_with("[pool] a/main: "), "{issue:?}");
    assert_eq!(issue.labels.len(), 1, "{issue:?}");
    assert!(
        issue.body.contains("/revive") && issue.body.contains("Host: "),
        "{issue:?}"
    );
    // Nobody hears of it twice, and strangers decide nothing.
    scene
        .server
        .with(|g| g.comment(issue.number, "mallory", "/revive"));
    scene.decides("awaiting_approval");
    assert_eq!(scene.server.with(|g| g.said(issue.number).len()), 1);
    assert_eq!(scene.events("heard")[0]["reason"], "refused");
    assert_eq!(scene.marks(), 0);

    scene
        .server
        .with(|g| g.comment(issue.number, "ann", "Looks dead.\n\n/revive"));
    scene.decides("revive");
    assert_eq!(
        (scene.marks(), scene.approved_by()),
        (1, vec!["channel:ch:ann".into()])
    );
    let said = scene.server.with(|g| g.said(issue.number).join("\n---\n"));
    assert!(
        said.contains("attempt 1 was carried out, agreed to by channel:ch:ann"),
        "{said}"
    );
    scene.world.beat("a", 0);
    scene.check().code(0);
    scene.server.with(|g| {
        assert!(!g.issues[0].open);
        let last = *g.said(issue.number).last().unwrap();
        for part in [
            "down since",
            "One attempt was made",
            "channel:ch:ann had agreed",
        ] {
            assert!(last.contains(part), "{last}");
        }
    });
    scene.is_settled();

    // Another incident is another issue, and it is found again when all else is forgotten.
    scene.world.beat("a", 900);
    scene.check();
    assert_eq!(scene.server.with(|g| g.issues.len()), 2);
    scene.world.forget();
    for _ in 0..3 {
        scene.check();
    }
    let issues = scene.server.with(|g| g.issues.len());
    assert_eq!(issues, 2, "the open issue is found again by its marker");
    scene.server.with(|g| g.comment(2, "ann", "/revive a/main"));
    scene.decides("revive");
    assert_eq!(scene.marks(), 2);
    scene.world.beat("a", 0);
    scene.check().code(0);
    assert!(scene.server.with(|g| g.issues.iter().all(|i| !i.open)));
    scene.is_settled();
}

#[test]
fn on_gitea_a_mission_s_own_issue_gets_the_comments_and_stays_open() {
    let scene = on_gitea(", use_mission_issue: true");
    scene.world.beat("a", 0).canonical("m", &["claude"]);
    let mut manifest = crate::world::canonical_manifest("m", &["claude"]);
    manifest["gitea_issue"] = json!(2);
    scene.world.manifest("m", &manifest).beat("m/claude", 900);
    scene.server.with(|g| {
        g.open("ann", "Something else", "");
        g.open("ann", "The mission m", "");
    });
    let run = scene.check();
    assert_eq!(run.verdict("m/claude"), Some("awaiting_approval"), "{run}");
    scene.server.with(|g| {
        assert_eq!(
            (g.issues.len(), g.said(1).len(), g.said(2).len()),
            (2, 0, 1)
        );
        g.comment(2, "ann", "/skip");
    });
    let run = scene.check();
    assert_eq!(run.verdict("m/claude"), Some("denied"), "{run}");
    scene.world.beat("m/claude", 0);
    scene.check().code(0);
    scene.server.with(|g| {
        let last = *g.said(2).last().unwrap();
        assert!(last.contains("recovered after"), "{last}");
        assert!(g.issues.iter().all(|issue| issue.open));
        assert_eq!(g.issues.len(), 2);
    });
    // An agent's word sends nothing elsewhere: as root, the manifest must be root's.
    if is_root() {
        manifest["gitea_issue"] = json!("#1");
        scene.world.manifest("m", &manifest);
        let file = scene.world.path("m/cell.json");
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        scene.world.beat("m/claude", 900);
        let run = scene.check();
        assert!(run.warns("manifest_untrusted"), "{run}");
        scene
            .server
            .with(|g| assert_eq!((g.issues.len(), g.said(1).len()), (3, 0)));
        chown(&file, Some(0), Some(0)).unwrap();
        // What began in its own issue ends there, whatever the manifest says by now.
        scene.world.beat("m/claude", 0);
        scene.check().code(0);
        scene
            .server
            .with(|g| assert!(g.said(1).is_empty() && !g.issues[2].open));
    } else {
        scene.server.with(|g| g.open("ann", "Another", ""));
    }
    // One that does not exist: the incident gets one of its own.
    manifest["gitea_issue"] = json!(77);
    scene.world.manifest("m", &manifest).beat("m/claude", 900);
    scene.check();
    let title = scene.server.with(|g| g.issues[3].title.clone());
    assert!(title.starts_with("[pool] m/claude: "), "{title}");
    scene.is_settled();
}

fn on_ntfy() -> People<Ntfy> {
    let server = ntfy::start();
    server.with(|n| n.private = true);
    let settings = format!(
        "kind: ntfy, url: '{}', topic: alarms, reply_topic: reply_4f1c, token: {{env: CHANNEL_SECRET}}",
        server.url("")
    );
    People::new(server, &settings, ntfy::TOKEN)
}

#[test]
fn on_ntfy_a_button_s_code_is_the_answer() {
    let scene = on_ntfy();
    scene.decides("awaiting_approval").code(1);
    let shown = scene.server.with(|n| n.shown("alarms"));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0]["actions"].as_array().unwrap().len(), 2);
    // Whoever knows the topic only, and no code, decides nothing.
    scene.server.with(|n| {
        n.post("reply_4f1c", "approve");
        n.post("reply_4f1c", "approve 00000000000000000000");
    });
    scene.decides("awaiting_approval");
    let reasons: Vec<_> = scene
        .events("heard")
        .iter()
        .map(|e| e["reason"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((reasons.len(), scene.marks()), (2, 0), "{reasons:?}");
    // Both buttons, one after the other: the first counts.
    scene.server.with(|n| {
        n.press(&shown[0], 0);
        n.press(&shown[0], 1);
    });
    scene.decides("revive");
    assert_eq!((scene.marks(), scene.approved_by().len()), (1, 1));
    // The question is settled in its place: it has no buttons any more.
    let shown = scene.server.with(|n| n.shown("alarms"));
    let buttons = |m: &serde_json::Value| m["actions"].as_array().map_or(0, Vec::len);
    assert!(shown.iter().all(|m| buttons(m) == 0), "{shown:?}");
    scene.world.beat("a", 0);
    scene.check().code(0);
    let shown = scene.server.with(|n| n.shown("alarms"));
    let last = shown.last().unwrap()["title"].as_str().unwrap().to_owned();
    assert!(last.starts_with("a/main: recovered after"), "{last}");
    scene.is_settled();
}

/// An organisation has labels for all its repositories: none of the same name is made beside it.
#[test]
fn on_gitea_a_label_of_the_organisation_is_taken() {
    let scene = on_gitea("");
    scene
        .server
        .with(|g| g.shared_labels.push((7, "pit".into())));
    scene.decides("awaiting_approval");
    scene.server.with(|g| {
        assert_eq!((g.labels.len(), &g.issues[0].labels), (0, &vec![7]));
    });
}

/// Anybody may comment in a public repository: who floods an issue keeps nobody's answer from being
/// heard.
#[test]
fn on_gitea_an_answer_behind_a_flood_is_heard() {
    let scene = on_gitea("");
    scene.decides("awaiting_approval");
    scene.server.with(|g| {
        for _ in 0..300 {
            g.comment(1, "mallory", "/revive");
        }
        g.comment(1, "ann", "/revive");
    });
    scene.decides("revive");
    assert_eq!(scene.approved_by(), ["channel:ch:ann"]);
    // Not every word of a flood fills the journal.
    assert_eq!(scene.events("heard").len(), 200);
}

/// Times are told by the clocks of services. What matters is whether somebody answers in time by the
/// clock that asked.
#[test]
fn a_service_s_clock_may_be_wrong() {
    for ahead in [-900, 900] {
        let scene = on_gitea("");
        scene.server.with(|g| g.ahead = ahead);
        scene.decides("awaiting_approval");
        scene.server.with(|g| g.comment(1, "ann", "/revive"));
        scene.decides("revive");
        assert_eq!(scene.marks(), 1, "{ahead}");
    }
}

#[cfg(feature = "nostr")]
#[test]
fn on_nostr_a_reply_is_the_answer() {
    use nostr::key::Keys;

    use crate::fake::http::Server;
    use crate::fake::nostr::{Phone, start};

    let (relay, keys) = (start(), Keys::generate());
    let (phone, stranger) = (Phone::new(&relay), Phone::new(&relay));
    let settings = format!(
        "kind: nostr, key: {{env: CHANNEL_SECRET}}, relays: ['{relay}'], recipients: ['{}']",
        phone.npub()
    );
    // There is no server of ours: the relay is another's.
    let nobody = Server::start((), |(), _| unreachable!());
    let scene = People::new(nobody, &settings, &keys.secret_key().to_secret_hex());
    scene.decides("awaiting_approval").code(1);
    let letters = phone.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let asked = letters[0].compute_id().to_hex();
    assert!(letters[0].content.contains("revive a/main"), "{letters:?}");
    // A stranger's word, and one that replies to nothing, decide nothing.
    let own = keys.public_key();
    stranger.write(own, "+1", Some(&asked));
    phone.write(own, "+1", None);
    scene.decides("awaiting_approval");
    assert_eq!((scene.marks(), phone.letters().len()), (0, 1));
    assert!(
        scene.events("heard").len() >= 2,
        "{:?}",
        scene.events("heard")
    );
    phone.write(own, "+1", Some(&asked));
    scene.decides("revive");
    let by = format!("channel:ch:{}", phone.npub());
    assert_eq!((scene.marks(), scene.approved_by()), (1, vec![by]));
    scene.world.beat("a", 0);
    scene.check().code(0);
    let letters = phone.letters();
    assert!(
        letters
            .iter()
            .any(|l| l.content.starts_with("a/main: recovered after")),
        "{letters:?}"
    );
    scene.is_settled();
}
