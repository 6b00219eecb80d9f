//! Gitea's API: one repository, its issues, comments and labels, and people who write there.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::http::{Reply, Request, Server};

/// The token of the one user that writes by the API, and the user.
pub(crate) const TOKEN: &str = "CANARY-gitea_91c3d07f5b2e";
pub(crate) const USER: &str = "pit-bot";

/// The repository.
pub(crate) const REPO: &str = "ops/pool";

#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) author: String,
    pub(crate) open: bool,
    pub(crate) labels: Vec<u64>,
    /// Whether others are open on which it depends.
    pub(crate) blocked: bool,
    pub(crate) updated: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) issue: u64,
    pub(crate) body: String,
    pub(crate) author: String,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// All that the server knows.
#[derive(Clone, Debug)]
pub(crate) struct Gitea {
    pub(crate) issues: Vec<Issue>,
    pub(crate) comments: Vec<Comment>,
    /// By id.
    pub(crate) labels: Vec<(u64, String)>,
    /// Those of the organisation, for all its repositories.
    pub(crate) shared_labels: Vec<(u64, String)>,
    /// Whether the user may write in the repository: only those can make and set labels.
    pub(crate) writes: bool,
    /// Whether the token may say whose it is.
    pub(crate) says_who: bool,
    pub(crate) archived: bool,
    pub(crate) has_issues: bool,
    /// The repository is not there, or not for this token.
    pub(crate) hidden: bool,
    /// Whether lists say how many there are in all.
    pub(crate) counts: bool,
    /// The most that a page has.
    pub(crate) page: usize,
    /// So many requests that change something are carried out, and their answers lost.
    pub(crate) lose: u32,
    /// So many requests are refused with 429 and this many seconds.
    pub(crate) limited: (u32, u64),
    /// This status answers all that changes something.
    pub(crate) broken: Option<u16>,
    /// The seconds of its clock, ahead of or behind the host's.
    pub(crate) ahead: i64,
    next: u64,
}

/// Starts one.
pub(crate) fn start() -> Server<Gitea> {
    let state = Gitea {
        issues: Vec::new(),
        comments: Vec::new(),
        labels: Vec::new(),
        shared_labels: Vec::new(),
        writes: true,
        says_who: true,
        archived: false,
        has_issues: true,
        hidden: false,
        counts: true,
        page: 50,
        lose: 0,
        limited: (0, 0),
        broken: None,
        ahead: 0,
        next: 100,
    };
    Server::start(state, answer)
}

impl Gitea {
    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_secs().saturating_add_signed(self.ahead)
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Somebody opens an issue in the browser.
    pub(crate) fn open(&mut self, author: &str, title: &str, body: &str) -> u64 {
        let number = self.issues.len() as u64 + 1;
        let updated = self.now();
        self.issues.push(Issue {
            number,
            title: title.into(),
            body: body.into(),
            author: author.into(),
            open: true,
            labels: Vec::new(),
            blocked: false,
            updated,
        });
        number
    }

    /// Somebody comments in the browser.
    pub(crate) fn comment(&mut self, issue: u64, author: &str, body: &str) -> u64 {
        let (id, created) = (self.id(), self.now());
        self.comments.push(Comment {
            id,
            issue,
            body: body.into(),
            author: author.into(),
            created,
            updated: created,
        });
        self.touch(issue);
        id
    }

    fn touch(&mut self, number: u64) {
        let now = self.now();
        if let Some(issue) = self.issues.iter_mut().find(|i| i.number == number) {
            issue.updated = now;
        }
    }

    /// The bodies of an issue's comments.
    pub(crate) fn said(&self, issue: u64) -> Vec<&str> {
        let all = self.comments.iter().filter(|c| c.issue == issue);
        all.map(|c| &*c.body).collect()
    }

    fn issue_json(&self, issue: &Issue) -> Value {
        let names = self
            .labels
            .iter()
            .chain(&self.shared_labels)
            .filter(|(id, _)| issue.labels.contains(id));
        let labels: Vec<Value> = names
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        json!({
            "id": issue.number + 9000,
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "user": {"id": 1, "login": issue.author},
            "labels": labels,
            "state": if issue.open { "open" } else { "closed" },
            "updated_at": time(issue.updated),
        })
    }

    fn list(&self, all: Vec<Value>, query: &Query) -> Reply {
        let number = |name: &str, or: usize| {
            query
                .get(name)
                .and_then(|n| n.parse().ok())
                .unwrap_or(or)
                .max(1)
        };
        let limit = number("limit", 30).min(self.page);
        let page = number("page", 1);
        let total = all.len();
        let shown: Vec<Value> = all
            .into_iter()
            .skip((page - 1) * limit)
            .take(limit)
            .collect();
        let reply = Reply::json(200, &Value::Array(shown));
        match self.counts {
            false => reply,
            true if page * limit < total => {
                let next = format!("<http://gitea/x?page={}>; rel=\"next\"", page + 1);
                reply
                    .with("X-Total-Count", &total.to_string())
                    .with("Link", &next)
            }
            true => reply.with("X-Total-Count", &total.to_string()),
        }
    }
}

fn date(state: &Gitea) -> String {
    let now = jiff::Timestamp::from_second(state.now() as i64).unwrap();
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&now).unwrap()
}

fn time(seconds: u64) -> String {
    let time = jiff::Timestamp::from_second(seconds as i64).unwrap();
    // As a server in Berlin says it.
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
    time.to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    fn since(&self) -> u64 {
        let since = self
            .get("since")
            .map(|text| text.parse::<jiff::Timestamp>().unwrap());
        since.map_or(0, |since| since.as_second() as u64)
    }
}

fn refused(status: u16, why: &str) -> Reply {
    Reply::json(
        status,
        &json!({"message": why, "url": "http://gitea/api/swagger"}),
    )
}

fn answer(state: &mut Gitea, request: &Request) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = Query(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return Reply::new(404, "404 page not found");
    };
    if path == "version" {
        return Reply::json(200, &json!({"version": "1.24.3"}));
    }
    if request.header("authorization") != Some(&format!("token {TOKEN}")) {
        return refused(401, "invalid username, password or token");
    }
    if state.limited.0 > 0 {
        state.limited.0 -= 1;
        let after = state.limited.1.to_string();
        return refused(429, "too many requests").with("Retry-After", &after);
    }
    let changes = request.method != "GET";
    if let Some(status) = state.broken.filter(|_| changes) {
        return refused(status, &format!("no, not with {TOKEN}"));
    }
    let parts: Vec<&str> = path.split('/').collect();
    let reply = route(state, &request.method, &parts, &query, request).with("Date", &date(state));
    if changes && state.lose > 0 {
        state.lose -= 1;
        return reply.lost();
    }
    reply
}

fn route(
    state: &mut Gitea,
    method: &str,
    parts: &[&str],
    query: &Query,
    request: &Request,
) -> Reply {
    let rest = match parts {
        ["user"] => {
            return match state.says_who {
                true => Reply::json(200, &json!({"id": 7, "login": USER})),
                false => refused(403, "token does not have at least one of required scope(s)"),
            };
        }
        ["orgs", owner, "labels"] if REPO.starts_with(&format!("{owner}/")) => {
            let all = state.shared_labels.iter();
            let all = all.map(|(id, name)| json!({"id": id, "name": name}));
            return state.list(all.collect(), query);
        }
        ["repos", owner, name, rest @ ..] if format!("{owner}/{name}") == REPO => rest,
        _ => return refused(404, "The target couldn't be found."),
    };
    if state.hidden {
        return refused(404, "The target couldn't be found.");
    }
    if state.archived && method != "GET" {
        return refused(423, "Repo is archived.");
    }
    if !state.has_issues && rest.first() == Some(&"issues") {
        return refused(404, "The target couldn't be found.");
    }
    let sent = || request.json();
    match (method, rest) {
        ("GET", []) => Reply::json(
            200,
            &json!({
                "full_name": REPO,
                "archived": state.archived,
                "has_issues": state.has_issues,
                "permissions": {"admin": false, "push": state.writes, "pull": true},
            }),
        ),
        ("GET", ["labels"]) => {
            let all = state.labels.iter();
            let all = all
                .map(|(id, name)| json!({"id": id, "name": name}))
                .collect();
            state.list(all, query)
        }
        ("POST", ["labels"]) if !state.writes => refused(403, "user should have write access"),
        ("POST", ["labels"]) => {
            let (id, name) = (state.id(), sent()["name"].as_str().unwrap().to_owned());
            assert!(sent()["color"].as_str().unwrap().starts_with('#'));
            state.labels.push((id, name.clone()));
            Reply::json(201, &json!({"id": id, "name": name}))
        }
        ("GET", ["issues"]) => {
            assert!(query.get("q").is_none(), "the index of words lags behind");
            let open = query.get("state") != Some("closed");
            let fits = |i: &&Issue| i.open == open && i.updated >= query.since();
            let all = state.issues.iter().rev().filter(fits);
            let all = all.map(|i| state.issue_json(i)).collect();
            state.list(all, query)
        }
        ("POST", ["issues"]) => {
            let sent = sent();
            let title = sent["title"].as_str().unwrap();
            assert!(title.chars().count() <= 255);
            let number = state.open(USER, title, sent["body"].as_str().unwrap());
            let labels = sent["labels"].as_array().unwrap().iter();
            let labels: Vec<u64> = labels.map(|id| id.as_u64().unwrap()).collect();
            let issue = state.issues.last_mut().unwrap();
            if state.writes {
                issue.labels = labels;
            }
            let issue = state.issues[number as usize - 1].clone();
            Reply::json(201, &state.issue_json(&issue))
        }
        ("GET" | "PATCH" | "POST", ["issues", number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap();
            let Some(at) = state.issues.iter().position(|i| i.number == number) else {
                return refused(404, "issue does not exist");
            };
            one_issue(state, at, method, rest, query, &sent)
        }
        _ => refused(405, "no such thing"),
    }
}

fn one_issue(
    state: &mut Gitea,
    at: usize,
    method: &str,
    rest: &[&str],
    query: &Query,
    sent: &dyn Fn() -> Value,
) -> Reply {
    let number = state.issues[at].number;
    match (method, rest) {
        ("GET", []) => Reply::json(200, &state.issue_json(&state.issues[at])),
        ("PATCH", []) => {
            assert_eq!(sent(), json!({"state": "closed"}));
            if state.issues[at].blocked {
                return refused(
                    412,
                    "cannot close this issue because it still has open dependencies",
                );
            }
            state.issues[at].open = false;
            state.touch(number);
            // Not 200.
            Reply::json(201, &state.issue_json(&state.issues[at]))
        }
        ("GET", ["comments"]) => {
            let fits = |c: &&Comment| c.issue == number && c.updated >= query.since();
            let all = state.comments.iter().filter(fits).map(|c| {
                json!({
                    "id": c.id,
                    "body": c.body,
                    "user": {"login": c.author},
                    "created_at": time(c.created),
                    "updated_at": time(c.updated),
                })
            });
            // This list has no pages.
            Reply::json(200, &all.collect())
        }
        ("POST", ["comments"]) => {
            let id = state.comment(number, USER, sent()["body"].as_str().unwrap());
            Reply::json(201, &json!({"id": id}))
        }
        _ => refused(405, "no such thing"),
    }
}
