//! `http`: what a URL answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Common, Reply, places, tcp};
use crate::model::probe::HttpAsks;
use crate::model::time::human;
use crate::net::names::look_up;
use crate::net::{self, Answer, Ask, Authorities, Came, Failure};

/// As much of an answer's body is read where something is asked of it, in bytes. Whoever says how
/// they are needs no more, and a thousand are asked at once.
const MOST_BODY: usize = 64 << 10;

/// As long may the file of an authority be, in bytes.
const LARGEST_CA: usize = 256 << 10;

/// Asks.
pub(super) fn ask(http: &HttpAsks, until: Instant, common: &Common, found: &AtomicBool) -> Reply {
    let began = Instant::now();
    let authorities = match http.ca.as_deref().map(|path| authority(path, common)) {
        None => Authorities::Public,
        Some(Ok(authorities)) => authorities,
        Some(Err(why)) => return Reply::not_asked(why),
    };
    let Some((host, port)) = net::host_and_port(&http.url) else {
        return Reply::not_asked("its URL cannot be used");
    };
    let addresses = match look_up(&host, port) {
        Ok(addresses) => addresses,
        Err(e) => return tcp::unknown(e),
    };
    found.store(true, Ordering::Relaxed);
    let reads = http.contains.is_some() || http.json.is_some();
    let left = until.saturating_duration_since(Instant::now());
    let request = Ask {
        method: "GET".to_owned(),
        url: http.url.clone(),
        headers: http.headers.clone().into_iter().collect(),
        body: None,
        time: left,
        most_body: if reads { MOST_BODY } else { 0 },
        authorities,
    };
    let within = super::limit(began, until);
    match net::ask_at(&request, &addresses) {
        Came::Answered(answer) => judge(http, &answer, began),
        Came::Late(None) => Reply::bad(format!("no answer within {within}")),
        Came::Late(Some(status)) => Reply::bad(format!(
            "the answer {status} did not come to its end within {within}"
        )),
        Came::Failed(failed) => match failed.kind {
            Failure::Request | Failure::Here => Reply::not_asked(failed.why),
            Failure::Name | Failure::Connection | Failure::Answer => Reply::bad(failed.why),
        },
    }
}

fn authority(path: &str, common: &Common) -> Result<Authorities, String> {
    let shown = crate::model::text::visible(path);
    let pem = places::read(path, LARGEST_CA, &common.asker)
        .map_err(|e| format!("the certificates in {shown}: {e}"))?;
    Authorities::from_pem(&pem).map_err(|why| format!("the certificates in {shown}: {why}"))
}

fn judge(http: &HttpAsks, answer: &Answer, began: Instant) -> Reply {
    let status = answer.status;
    let good = match http.status {
        Some(wanted) => wanted == status,
        None => (200..300).contains(&status),
    };
    if !good {
        let wanted = http
            .status
            .map_or_else(|| "200 to 299".to_owned(), |wanted| wanted.to_string());
        let on = match answer.is_redirect() {
            true => ": it sends on to another address, and none is followed",
            false => "",
        };
        return Reply::bad(format!("it answered {status}, not {wanted}{on}"));
    }
    let cut = match answer.cut {
        true => format!(" in the first {} bytes of it", answer.body.len()),
        false => String::new(),
    };
    if let Some(text) = &http.contains
        && memchr::memmem::find(&answer.body, text.as_bytes()).is_none()
    {
        let why = format!("it answered {status}, and its body lacks the text asked for{cut}");
        return Reply::bad(why);
    }
    if let Some(wanted) = &http.json {
        let value = match answer.cut {
            true => Err(format!(
                "goes on after {} bytes, or broke off",
                answer.body.len()
            )),
            false => super::json::parse(&answer.body),
        };
        let why = match value {
            Ok(value) => super::json::has(&value, wanted).err(),
            Err(why) => Some(format!("its body {why}")),
        };
        if let Some(why) = why {
            return Reply::bad(format!("it answered {status}, but {why}"));
        }
    }
    Reply::good(format!("it answered {status} ({})", human(began.elapsed())))
}
