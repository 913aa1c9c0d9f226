//! Pagination: <https://docs.stripe.com/api/pagination>.

use serde_json::Value;

use super::{
    document::{self, Document as _},
    failure::{Failure, Outcome},
    form::Params,
};

/// Parameters that every list takes.
pub(crate) const PARAMS: &[&str] = &["created", "ending_before", "limit", "starting_after"];

/// One page of what `wanted` takes of `all`, which are newest first, after the filter `created`. A
/// cursor may be any of `all`: an event that a filter no longer takes still marks its place.
pub(crate) fn page<'v>(
    params: &Params,
    all: impl IntoIterator<Item = &'v Value>,
    wanted: impl Fn(&Value) -> bool,
    url: &str,
    noun: &str,
) -> Outcome<Value> {
    let all: Vec<&Value> = all.into_iter().collect();
    let limit = params.int("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(Failure::parameter(
            "limit",
            format!("Invalid limit: {limit}. It must be between 1 and 100."),
        ));
    }
    let limit = usize::try_from(limit).unwrap_or(10);
    let starting = params.text("starting_after")?.filter(|id| !id.is_empty());
    let ending = params.text("ending_before")?.filter(|id| !id.is_empty());
    if starting.is_some() && ending.is_some() {
        return Err(Failure::parameter(
            "ending_before",
            "You may only specify one of these parameters: starting_after, ending_before.",
        ));
    }
    let within = created(params)?;
    let place = |id: &str, param: &str| {
        all.iter().position(|object| object.id() == id).ok_or_else(|| Failure::missing(noun, id, param))
    };
    let start = starting.map(|id| place(id, "starting_after")).transpose()?.map_or(0, |at| at + 1);
    let end = ending.map(|id| place(id, "ending_before")).transpose()?.unwrap_or(all.len());
    let mut found: Vec<Value> = all
        .into_iter()
        .skip(start)
        .take(end.saturating_sub(start))
        .filter(|object| within(object.int("created")) && wanted(object))
        .cloned()
        .collect();
    let has_more = found.len() > limit;
    if ending.is_some() {
        // The page next to the cursor, still newest first.
        found.drain(..found.len().saturating_sub(limit));
    } else {
        found.truncate(limit);
    }
    Ok(document::list(found, has_more, url))
}

/// The filter `created`: a time, or a range of `gt`, `gte`, `lt`, `lte`.
fn created(params: &Params) -> Outcome<impl Fn(i64) -> bool> {
    let (mut from, mut to) = (i64::MIN, i64::MAX);
    if params.raw("created").is_some_and(Value::is_string) {
        if let Some(at) = params.int("created")? {
            (from, to) = (at, at);
        }
    } else {
        let range = params.hash("created");
        range.only(&["gt", "gte", "lt", "lte"])?;
        from = range.int("gte")?.unwrap_or(from);
        from = range.int("gt")?.map_or(from, |at| from.max(at.saturating_add(1)));
        to = range.int("lte")?.unwrap_or(to);
        to = range.int("lt")?.map_or(to, |at| to.min(at.saturating_sub(1)));
    }
    Ok(move |at| (from..=to).contains(&at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(query: &str) -> (Vec<String>, bool) {
        let all: Vec<Value> = (1..=5).rev().map(|n| json!({ "id": format!("o{n}"), "created": n })).collect();
        let odd = |object: &Value| !query.contains("odd") || object.int("created") % 2 == 1;
        let page = page(&Params::decode(query.as_bytes()), &all, odd, "/v1/x", "x").unwrap();
        let ids = page.each("data").iter().map(|object| object.id().to_owned()).collect();
        (ids, page.flag("has_more"))
    }

    #[test]
    fn cursors_walk_both_ways() {
        assert_eq!(ids("limit=2"), (vec!["o5".into(), "o4".into()], true));
        assert_eq!(ids("limit=2&starting_after=o4"), (vec!["o3".into(), "o2".into()], true));
        assert_eq!(ids("limit=2&starting_after=o2"), (vec!["o1".into()], false));
        assert_eq!(ids("limit=2&ending_before=o2"), (vec!["o4".into(), "o3".into()], true));
        assert_eq!(ids("limit=3&ending_before=o2"), (vec!["o5".into(), "o4".into(), "o3".into()], false));
    }

    #[test]
    fn a_cursor_need_not_be_among_what_is_wanted() {
        assert_eq!(ids("odd&starting_after=o4").0, ["o3", "o1"]);
        assert_eq!(ids("odd&ending_before=o2").0, ["o5", "o3"]);
    }

    #[test]
    fn created_is_a_time_or_a_range() {
        assert_eq!(ids("created=3").0, ["o3"]);
        assert_eq!(ids("created[gte]=2&created[lt]=4").0, ["o3", "o2"]);
        assert_eq!(ids("created[gt]=3").0, ["o5", "o4"]);
    }
}
