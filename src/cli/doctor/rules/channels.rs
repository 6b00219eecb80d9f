//! Findings about the channels to people. What can be told without sending anything; the rest is for
//! `channel test`.

use std::collections::BTreeSet;

use super::{acting, given};
use crate::cli::doctor::facts::channels::{ChannelFacts, Secret};
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::Settings;
use crate::cli::doctor::facts::state::StateFacts;
use crate::cli::doctor::facts::units::Starters;
use crate::cli::doctor::finding::{Finding, Level, count, few};
use crate::model::decision::Policy;
use crate::model::post::Post;
use crate::model::time::human;
use crate::report::human::moment;

/// About all channels, and who is asked through them.
pub(super) fn judge(
    channels: &[ChannelFacts],
    settings: &Settings,
    state: Option<&StateFacts>,
    starters: Option<&Starters>,
    host: &Host,
) -> Vec<Finding> {
    let given = given(starters);
    let state = state.and_then(|facts| facts.state.as_ref().ok());
    let mut found = Vec::new();
    for channel in channels {
        let before = found.len();
        let post = state.and_then(|state| state.post.get(&channel.name));
        let about = |finding: Finding| finding.about(format!("channel {}", channel.name));
        let secrets = channel.secrets.iter();
        found.extend(secrets.filter_map(|s| secret(s, given.as_ref())).map(about));
        if let Some(why) = &channel.unusable {
            let finding = Finding::error("channel_unusable", why);
            found.push(
                about(finding)
                    .next("mend its settings: docs/notifications.md has each kind's guide"),
            );
        }
        found.extend(used(channel, channels, settings).into_iter().map(about));
        found.extend(
            post.into_iter()
                .flat_map(|post| of_post(post, channel, host))
                .map(about),
        );
        let fine = found[before..].iter().all(|f| f.level == Level::Ok);
        if fine {
            let text = format!(
                "a channel of kind {}, {}; its secrets are there",
                channel.kind,
                if channel.hears {
                    "on which people can answer"
                } else {
                    "which only tells"
                }
            );
            let next = format!(
                "whether a message arrives: `lazarus-pit channel test {}`",
                channel.name
            );
            found.push(about(Finding::ok("channel", text)).next(next));
        }
    }
    found.extend(questions(channels, settings));
    found
}

/// Whether a secret can be had, here and in a run.
fn secret(secret: &Secret, given: Option<&BTreeSet<&str>>) -> Option<Finding> {
    let Some(name) = &secret.variable else {
        let why = secret.trouble.as_ref()?;
        return Some(Finding::error("secret", why).next(
            "put the secret there, alone in a file that only the running user may read (0600)",
        ));
    };
    let says = given.map(|given| given.contains(name.as_str()));
    let put = "put it into a file (`{file: …}`), or into EnvironmentFile= of the unit: cron and systemd pass on nothing of a shell's environment";
    match (&secret.trouble, says) {
        // Those who start the runs set it, whatever is set here.
        (_, Some(true)) | (None, None) => None,
        (None, Some(false)) => {
            let text = format!(
                "the variable {name} is set here, and nothing that starts the runs sets it"
            );
            Some(Finding::warning("secret_not_given", text).next(put))
        }
        (Some(why), _) => Some(Finding::error("secret", why).next(put)),
    }
}

/// Which plans use a channel, and for what it is no good.
fn used(channel: &ChannelFacts, all: &[ChannelFacts], settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let plans = || settings.plans.set.plans().iter();
    let asks =
        || acting(&settings.plans.set).filter(|p| p.approval.channels.contains(&channel.name));
    let tells = plans().any(|plan| plan.notify.channels.contains(&channel.name));
    if asks().next().is_none() && !tells && !settings.plans.set.is_empty() {
        let text = "no plan tells or asks anybody through it";
        found.push(
            Finding::advice("channel_unused", text)
                .next("name it in a plan's `notify.channels` or `approval.channels`"),
        );
    }
    if channel.hears {
        return found;
    }
    // Of a plan that nobody can answer on any of its channels, the look at the plans has told.
    let is_heard = |name: &String| all.iter().any(|one| one.hears && one.name == *name);
    let heard = asks()
        .filter(|plan| plan.policy == Policy::Ask && plan.approval.channels.iter().any(is_heard));
    let names: Vec<&str> = heard.map(|plan| plan.name.as_str()).collect();
    if names.is_empty() {
        return found;
    }
    found.push(match channel.allows_nobody {
        true => Finding::advice(
            "nobody_may_answer",
            format!("its `allowed_users` are empty, and these plans ask through it: {}", few(&names)),
        )
        .next("list in `allowed_users` those whose answers count; the plans' other channels work all the same"),
        false => Finding::advice(
            "cannot_answer",
            format!(
                "nobody can answer there (kind {}), and these plans ask through it: {}",
                channel.kind,
                few(&names)
            ),
        )
        .next("if answers are wanted there: telegram, gitea, nostr and ntfy (with `reply_topic`) take them; the plans' other channels work all the same"),
    });
    found
}

/// What the runs have remembered of a channel.
fn of_post(post: &Post, channel: &ChannelFacts, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    let test = format!("`lazarus-pit channel test {}`", channel.name);
    if let Some(trouble) = &post.trouble {
        let text = format!(
            "it has not worked since {}, {} times in a row: {}",
            moment(trouble.since),
            trouble.times,
            trouble.why
        );
        found.push(Finding::warning("channel_trouble", text).next(&test));
    } else if let Some(oldest) = post.outbox.first() {
        let text = format!(
            "not sent yet: {}, the oldest for {}",
            count(post.outbox.len(), "message"),
            human(host.now.since(oldest.at))
        );
        found.push(Finding::advice("messages_wait", text).next(&test));
    }
    if post.dropped > 0 {
        let text = format!(
            "{} dropped, for want of room or of time",
            count(post.dropped as usize, "message")
        );
        found.push(Finding::warning("messages_dropped", text).next(test));
    }
    found
}

/// Questions that reach nobody but who looks.
fn questions(channels: &[ChannelFacts], settings: &Settings) -> Vec<Finding> {
    let asking = acting(&settings.plans.set).filter(|plan| plan.policy == Policy::Ask);
    let silent = asking.filter(|plan| plan.approval.channels.is_empty());
    let silent: Vec<&str> = silent.map(|plan| plan.name.as_str()).collect();
    let mut found = Vec::new();
    if !silent.is_empty() {
        let text = format!(
            "only `status` and the reports show the questions of these plans, which name no channel: {}",
            few(&silent)
        );
        found.push(Finding::advice("asked_nowhere", text).next(
            "name channels in `approval.channels`, or answer with `lazarus-pit approve SUBJECT`",
        ));
    }
    if channels.is_empty() {
        let text = "there are no channels: nobody is told of anything but by the report and the exit status";
        found.push(Finding::ok("no_channels", text).next("docs/notifications.md has their guides"));
    }
    found
}
