//! Asking people and hearing them, over separate runs of the real program, against a Telegram that
//! remembers what was sent and lets people press, reply and write.

use std::fs;

use crate::fake::telegram::{self, TOKEN, Telegram};
use crate::later::{Later, eventually, plans};
use crate::people::{PLAN, People, VARIABLE};
use crate::world::is_root;

fn scene() -> People<Telegram> {
    let server = telegram::start();
    let settings = format!(
        "kind: telegram, token: {{env: CHANNEL_SECRET}}, chat_id: 42, allowed_users: [42], api_url: '{}'",
        server.url("")
    );
    People::new(server, &settings, TOKEN)
}

/// The texts that the chat shows, each message once.
fn shown(scene: &People<Telegram>) -> Vec<String> {
    scene
        .server
        .with(|t| t.sent.iter().map(|s| s.text.clone()).collect())
}

#[test]
fn asked_answered_by_a_button_revived_and_recovered() {
    let scene = scene();
    let run = scene.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    // One message both tells and asks.
    assert_eq!(shown(&scene).len(), 1, "{:?}", shown(&scene));
    let status = scene.run(&["status", "--json"]);
    let asked = &status.json()["subjects"][0]["approval"];
    assert_eq!(asked["channels"][0], "ch", "{status}");
    scene.run(&["status"]).stdout_has("on ch and in the shell");
    // Nothing is asked twice, and nobody waits.
    scene.check().code(1);
    assert_eq!(shown(&scene).len(), 1);
    assert_eq!(scene.marks(), 0);

    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    let run = scene.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert_eq!(scene.marks(), 1);
    let approved = scene.events("approved");
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0]["actor"], "channel:ch:42");
    // The question is edited, and the restart told.
    let texts = shown(&scene);
    assert!(texts[0].contains("agreed to by channel:ch:42"), "{texts:?}");
    assert!(texts[1].contains("restarted (attempt 1)"), "{texts:?}");
    scene.world.beat("a", 0);
    scene.check().code(0);
    let texts = shown(&scene);
    assert!(texts[2].contains("recovered after"), "{texts:?}");
    assert!(texts[2].contains("channel:ch:42 had agreed"), "{texts:?}");
    scene.run(&["history"]).stdout_has("channel:ch:42");
    scene.is_settled();
}

#[test]
fn a_no_by_word_is_a_no() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| t.write(42, 42, "skip a/main"));
    let run = scene.check();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("denied"), "{run}");
    assert_eq!(scene.marks(), 0);
    assert_eq!(scene.events("denied")[0]["actor"], "channel:ch:42");
    assert!(shown(&scene)[0].contains("refused by channel:ch:42"));
    scene.is_settled();
}

#[test]
fn what_binds_to_nothing_approves_nothing_and_is_recorded() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| {
        let asked = t.last();
        t.write(42, 42, "+1");
        t.write(42, 42, "revive b/main");
        t.press(&asked, 7, true);
        t.reply(&asked, 7, "+1");
    });
    let run = scene.check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    assert_eq!((scene.marks(), scene.events("approved").len()), (0, 0));
    assert!(
        scene.events("heard").len() >= 3,
        "{:?}",
        scene.events("heard")
    );
    // Then the one that is meant, twice, and its opposite: the first counts.
    scene.server.with(|t| {
        let asked = t.last();
        t.press(&asked, 42, true);
        t.press(&asked, 42, true);
        t.press(&asked, 42, false);
    });
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    assert_eq!((scene.marks(), scene.events("approved").len()), (1, 1));
    assert_eq!(scene.events("denied").len(), 0);
    let answered = scene.events("heard");
    let answered = answered
        .iter()
        .filter(|e| e["reason"] == "answered")
        .count();
    assert_eq!(answered, 2);
    scene.is_settled();
}

#[test]
fn a_changed_plan_is_asked_anew() {
    let scene = scene();
    scene.check();
    scene.plan(&PLAN.replace("expires: 5m", "expires: 6m"));
    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    let run = scene.check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    assert_eq!(scene.marks(), 0);
    assert_eq!(scene.events("heard")[0]["reason"], "plan_changed");
    // The old question says that it is none, and the new one is there.
    let texts = shown(&scene);
    assert_eq!(texts.len(), 2, "{texts:?}");
    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    scene.is_settled();
}

#[test]
fn the_shell_s_word_edits_the_question() {
    let scene = scene();
    scene.check();
    let asked = scene.server.with(|t| t.last());
    scene.run(&["approve", "a"]).code(0);
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    let texts = shown(&scene);
    assert!(texts[0].contains("agreed to by operator:"), "{texts:?}");
    // Whoever presses now is told nothing new, and it is written down.
    scene.server.with(|t| t.press(&asked, 42, false));
    scene.check();
    assert_eq!(scene.events("heard")[0]["reason"], "answered");
    assert_eq!(scene.marks(), 1);
    scene.is_settled();
}

#[test]
fn an_agent_never_gets_a_channel_s_secret() {
    let scene = scene();
    let out = scene.world.base().join("home/env");
    plans(
        &scene.world,
        &format!(
            "policy: auto\nsteps: [{{spawn: {{command: [sh, -c, 'env > {0}.part; mv {0}.part {0}'], env_pass: [CHANNEL_SECRET, OTHER]{1}}}}}]\nnotify: {{channels: ch}}\n",
            out.display(),
            if is_root() { ", user: root" } else { "" }
        ),
    );
    let run = scene
        .world
        .cmd(&["--json"])
        .env(VARIABLE, TOKEN)
        .env("OTHER", "passed")
        .run();
    assert_eq!(run.list("actions")[0]["result"], "ok", "{run}");
    let seen = eventually(|| fs::read_to_string(&out).ok());
    assert!(
        seen.contains("OTHER=passed") && !seen.contains("CANARY"),
        "{seen}"
    );
}

/// After a week without updates Telegram numbers them anew, from anywhere: lower than the cursor.
#[test]
fn after_a_week_of_silence_an_answer_is_heard() {
    let scene = scene();
    scene.world.remove("b");
    scene.check();
    scene.server.with(|t| t.write(42, 42, "hello"));
    scene.decides("awaiting_approval");
    let mut later = Later::new(&scene.world).with(VARIABLE, TOKEN);
    later.pass(8 * 86_400).run(&["--json"]);
    let run = later.next();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    scene.server.with(|t| {
        t.a_week_passes();
        t.press(&t.question(), 42, true);
    });
    let run = later.next();
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert_eq!(scene.marks(), 1);
}

/// A button counts when it is read, by the clock that asked, whatever the service's clock says.
#[test]
fn a_button_that_is_read_too_late_counts_no_more() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| t.press(&t.last(), 42, true));
    let mut later = Later::new(&scene.world).with(VARIABLE, TOKEN);
    let run = later.pass(600).check();
    assert_eq!(run.verdict("a/main"), Some("expired"), "{run}");
    assert_eq!(scene.events("heard")[0]["reason"], "expired");
    assert_eq!(scene.marks(), 0);
}

/// When an agent ends, its keeper starts a run; it has not got the token, and leaves the rest to one
/// that has.
#[test]
fn what_a_woken_run_has_to_tell_waits_for_one_that_knows_the_secret() {
    let scene = scene();
    let user = if is_root() { ", user: root" } else { "" };
    scene.plan(&format!(
        "policy: auto\nsteps: [{{spawn: {{command: ['false']{user}}}}}]\nlimits: {{attempts: 1}}\nnotify: {{channels: ch}}\n"
    ));
    scene.check();
    // What the checker started, and what its keeper did.
    eventually(|| (scene.events("run_finished").len() == 2).then_some(()));
    let woken = &scene.events("run_started")[1];
    assert!(!woken["scope"].is_null(), "{woken}");
    assert_eq!(shown(&scene).len(), 1, "{:?}", shown(&scene));
    let queued = scene.events("queued");
    assert_eq!(queued.len(), 2, "{queued:?}");
    assert!(scene.events("notify_failed").is_empty());
    scene.check();
    assert_eq!(shown(&scene).len(), 2, "{:?}", shown(&scene));
    scene.is_settled();
}

/// Who floods the chat keeps nobody's answer from being heard.
#[test]
fn an_answer_behind_a_flood_is_heard_in_the_same_run() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| {
        for _ in 0..350 {
            t.write(42, 7, "well, well");
        }
        t.press(&t.question(), 42, true);
    });
    scene.decides("revive");
    assert_eq!(scene.marks(), 1);
    scene.is_settled();
}

/// A button came with its question, and is no older, whatever the clock does.
#[test]
fn a_press_counts_though_the_clock_was_set_back() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| t.press(&t.question(), 42, true));
    let mut later = Later::new(&scene.world).with(VARIABLE, TOKEN);
    // Nobody is revived in the run that finds it so, and the answer is kept.
    later.pass(-30).check();
    assert_eq!((scene.marks(), scene.approved_by().len()), (0, 1));
    later.next();
    assert_eq!(scene.marks(), 1);
    assert!(scene.events("heard").is_empty());
}
