//! Random routes and requests against a router that simply looks at every route.

use std::collections::BTreeSet;

use gatewright_config::gateway::{HostPattern, PathSegment, RouteConfig};

use super::{RouteMatch, Router, find, route};

/// The smallest is the most specific route.
type Rank = (Vec<u8>, i32, u8, usize);

#[test]
fn the_trees_find_what_looking_at_every_route_finds() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut found = [0; 3];
    for _ in 0..2_000 {
        let mut routes = Vec::new();
        for _ in 0..random.below(14) {
            routes.push(random.route());
            if Router::new(routes.iter().enumerate()).is_err() {
                routes.pop();
            }
        }
        let router = Router::new(routes.iter().enumerate()).unwrap();
        for _ in 0..20 {
            let request = random.request();
            let answer = find(&router, &request.0);
            assert_eq!(
                summary(&answer),
                expected(&routes, &request),
                "{request:?} in {:?}",
                names(&routes)
            );
            found[match answer {
                RouteMatch::Found { .. } => 0,
                RouteMatch::NotFound => 1,
                RouteMatch::MethodNotAllowed { .. } => 2,
            }] += 1;
        }
    }
    assert!(
        found.iter().all(|count| *count > 1_000),
        "the test has become weak: {found:?}"
    );
}

fn names(routes: &[RouteConfig]) -> Vec<&str> {
    routes.iter().map(|route| route.name.as_str()).collect()
}

fn summary(answer: &RouteMatch) -> String {
    match answer {
        RouteMatch::Found { route, parameters } => format!("{route} {:?}", parameters.iter().collect::<Vec<_>>()),
        RouteMatch::NotFound => "404".to_owned(),
        RouteMatch::MethodNotAllowed { allow } => format!("405 {allow}"),
    }
}

/// The answer, by the words of the module's documentation.
fn expected(routes: &[RouteConfig], request: &Request) -> String {
    let mut allow = BTreeSet::new();
    for tier in 0..=3 {
        let of_tier = |route: &RouteConfig| tier_of(route, &request.1) == Some(tier);
        let path = |route: &RouteConfig| parameters(route, &request.2).is_some() && guarded(route, &request.0);
        let serving: Vec<_> = routes
            .iter()
            .enumerate()
            .filter(|(_, route)| of_tier(route) && path(route))
            .collect();
        let ranked = serving
            .iter()
            .filter_map(|(index, route)| rank(*index, route, &request.3));
        if let Some((.., index)) = ranked.min() {
            return format!("{index} {:?}", parameters(&routes[index], &request.2).unwrap());
        }
        if allow.is_empty() {
            allow = serving.iter().flat_map(|(_, route)| route.methods.clone()).collect();
        }
    }
    if allow.contains("GET") {
        allow.insert("HEAD".to_owned());
    }
    let allow: Vec<_> = allow.into_iter().collect();
    if allow.is_empty() {
        "404".to_owned()
    } else {
        format!("405 {}", allow.join(", "))
    }
}

fn tier_of(route: &RouteConfig, host: &str) -> Option<usize> {
    match route.hosts.first() {
        None => Some(3),
        Some(HostPattern::Exact(name)) => (name == host).then_some(0),
        Some(HostPattern::Suffix(name)) if name == "b.c" => host.ends_with(".b.c").then_some(1),
        Some(HostPattern::Suffix(_)) => host.ends_with(".c").then_some(2),
    }
}

fn guarded(route: &RouteConfig, request: &str) -> bool {
    let (target, headers) = request.split_once('\n').unwrap_or((request, ""));
    (route.query.is_empty() || target.contains("?v")) && (route.headers.is_empty() || headers.contains("x: 1"))
}

fn rank(index: usize, route: &RouteConfig, method: &str) -> Option<Rank> {
    let named = |method: &str| route.methods.iter().any(|name| name == method);
    let method = match () {
        () if named(method) => 0,
        () if route.methods.is_empty() => 1,
        () if method == "HEAD" && named("GET") => 2,
        () => return None,
    };
    let kinds = route.path.0.iter().map(|segment| match segment {
        PathSegment::Static(_) => 0,
        PathSegment::Parameter(_) => 1,
        PathSegment::Greedy(_) => 2,
        PathSegment::Rest(_) => 3,
    });
    let greedy = |last: &PathSegment| matches!(last, PathSegment::Greedy(_) | PathSegment::Rest(_));
    let is_greedy = u8::from(route.path.0.last().is_some_and(greedy));
    let predicates = (route.headers.len() + route.query.len()) as i32;
    Some((
        std::iter::once(is_greedy).chain(kinds).collect(),
        -predicates,
        method,
        index,
    ))
}

fn parameters<'a>(route: &'a RouteConfig, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut rest = Some(path.strip_prefix('/').unwrap());
    let mut parameters = Vec::new();
    for segment in &route.path.0 {
        if let PathSegment::Rest(name) = segment {
            parameters.push((name.as_str(), rest.unwrap_or_default()));
            return Some(parameters);
        }
        let (first, after) = rest?
            .split_once('/')
            .map_or((rest?, None), |(first, after)| (first, Some(after)));
        match segment {
            PathSegment::Static(text) if text == first => {}
            PathSegment::Parameter(name) if !first.is_empty() => parameters.push((name.as_str(), first)),
            PathSegment::Greedy(name) if !first.is_empty() => {
                parameters.push((name.as_str(), rest?));
                return Some(parameters);
            }
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(parameters)
}

/// Text for [`find`], host, path, method.
type Request = (String, String, String, String);

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn route(&mut self) -> RouteConfig {
        let method = self.one(&["*", "*", "GET", "GET", "POST", "HEAD", "GET,POST"]);
        let host = self.one(&["", "", "", "a.b.c", "*.b.c", "*.c"]);
        let mut path = String::new();
        for _ in 0..self.below(4) {
            path.push_str(self.one(&["/a", "/a", "/ab", "/b", "/{x}", "/{y}"]));
        }
        path.push_str(self.one(&["/a", "/b", "/{z}", "/{rest+}", "/{rest*}", "/"]));
        let query = self.one(&["", "", "", "?v"]);
        let header = self.one(&["", "", "", "\nx: 1"]);
        route(&format!("{method} {host}{path}{query}{header}"))
    }

    fn request(&mut self) -> Request {
        let method = self.one(&["GET", "GET", "POST", "HEAD", "PUT"]);
        let host = self.one(&["a.b.c", "z.b.c", "b.c", "z.c", "c", "other"]);
        let mut path = String::new();
        for _ in 0..self.below(5) + 1 {
            path.push_str(self.one(&["/a", "/a", "/ab", "/b", "/abc", "/d"]));
        }
        path.push_str(self.one(&["", "", "", "/"]));
        let query = self.one(&["", "?v", "?w&v=1"]).replace("?w&v", "?v&w");
        let header = self.one(&["", "\nx: 1", "\nx: 2"]);
        (
            format!("{method} {host}{path}{query}{header}"),
            host.to_owned(),
            path,
            method.to_owned(),
        )
    }
}
