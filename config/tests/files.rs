//! A configuration in several files, and with values from the environment.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the message; clippy sees only `#[test]` functions as tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_config::{ConfigErrors, GatewayConfig, Loaded, load, load_all, parse, shown};
use tempfile::TempDir;

const LISTENER: &str = "[listener.public]\naddress = \"127.0.0.1:1\"\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn route(name: &str) -> String {
    format!("[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nintegration = {{ respond = 200 }}\n")
}

fn main_file(folder: &TempDir) -> PathBuf {
    folder.path().join("gateway.toml")
}

/// What is said, without the folder.
fn said(folder: &TempDir, result: Result<GatewayConfig, ConfigErrors>) -> String {
    let prefix = format!("{}/", folder.path().display());
    result.unwrap_err().to_string().replace(&prefix, "")
}

#[test]
fn included_files_follow_the_file_in_the_order_of_their_names() {
    let main = format!("include = [\"routes\", \"more.toml\"]\n{LISTENER}{}", route("main"));
    let b = format!("include = [\"deep/deeper.toml\"]\n{}", route("b"));
    let folder = folder(&[
        ("gateway.toml", &main),
        ("more.toml", &route("more")),
        ("routes/a.toml", &route("a")),
        ("routes/b.toml", &b),
        ("routes/c.toml", &route("c")),
        ("routes/deep/deeper.toml", &route("deeper")),
        ("routes/.hidden.toml", "not TOML"),
        ("routes/readme.md", "not TOML"),
    ]);
    let Loaded { config, files, .. } = load_all(&main_file(&folder));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["main", "a", "b", "deeper", "c", "more"]);
    for name in [
        "gateway.toml",
        "more.toml",
        "routes",
        "routes/a.toml",
        "routes/deep/deeper.toml",
    ] {
        assert!(files.contains(&folder.path().join(name)), "{name}: {files:?}");
    }
    // A folder is a configuration, too.
    fs::write(folder.path().join("routes/main.toml"), LISTENER).unwrap();
    assert_eq!(load(&folder.path().join("routes")).unwrap().routes.len(), 4);
}

#[test]
fn paths_in_an_included_file_are_from_its_folder() {
    let main = format!("include = [\"parts/keys.toml\"]\n{LISTENER}");
    let part = "[chain]\nprotected = [{ use = \"api-key\", keys = \"partners.toml\" }]\n\
                [[route]]\nname = \"a\"\npath = \"/a\"\nchain = [\"protected\"]\nintegration = { respond = 200 }\n";
    let folder = folder(&[("gateway.toml", &main), ("parts/keys.toml", part)]);
    let config = load(&main_file(&folder)).unwrap();
    let expected = folder.path().join("parts/partners.toml");
    let shown = serde_json::to_string(&config).unwrap();
    assert!(shown.contains(expected.to_str().unwrap()), "{shown}");
}

#[test]
fn a_mistake_is_said_with_the_file_and_the_line_that_it_is_in() {
    let main =
        format!("include = [\"a.toml\", \"b.toml\"]\n{LISTENER}[upstream.x]\ntargets = [{{ url = \"http://a\" }}]\n");
    let wrong = "# é\n[[route]]\nname = \"one\"\npath = \"/one\"\nintegration = { http = \"y\" }\n";
    let twice = "[upstream.x]\ntargets = [{ url = \"http://b\" }]\n[[route]]\nname = \"one\"\npath = \"/two\"\n\
                 integration = { http = \"x\" }\n[[route]]\nname = \"three\"\npath = \"three\"\nintegration = { http = \"x\" }\n";
    let folder = folder(&[("gateway.toml", &main), ("a.toml", wrong), ("b.toml", twice)]);
    assert_eq!(
        said(&folder, load(&main_file(&folder))),
        "a.toml:5:24: route[0].integration.http: unknown upstream `y`\n  hint: valid upstreams: `x`\n\
         b.toml:1:11: `upstream.x` is there already, at gateway.toml:4\n  hint: keep one of them\n\
         b.toml:4:8: route[0].name: there is a route `one` already, at a.toml:2\n  hint: give it another name\n\
         b.toml:9:8: route[1].path: `three` is not a path of a route: it does not begin with `/`\n  \
         hint: write a path such as \"/users/{id}\" or \"/api/{rest*}\""
    );
}

#[test]
fn what_cannot_be_included_is_said_where_it_is_named() {
    for (include, words) in [
        (
            "[\"nosuch.toml\"]",
            "gateway.toml:1:12: include[0]: cannot include nosuch.toml: No such file or directory",
        ),
        ("[\"gateway.toml\"]", "included twice, or includes itself"),
        (
            "[\"a.toml\", \"a.toml\"]",
            "gateway.toml:1:22: include[1]: a.toml is included twice",
        ),
        (
            "[\"loop.toml\"]",
            "loop.toml:1:12: gateway.toml is included twice, or includes itself",
        ),
        ("[\"*.toml\"]", "patterns are not understood"),
        ("\"a.toml\"", "expected an array, found string"),
        ("[1]", "expected the path of a file or folder, found integer"),
        (
            "[\"binary.toml\"]",
            "the file is not UTF-8 text: line 1 has the byte 0xFF at column 3",
        ),
    ] {
        let folder = folder(&[
            ("gateway.toml", &format!("include = {include}\n{LISTENER}")),
            ("a.toml", ""),
            ("loop.toml", "include = [\"gateway.toml\"]\n"),
        ]);
        fs::write(folder.path().join("binary.toml"), b"# \xff\n").unwrap();
        let said = said(&folder, load(&main_file(&folder)));
        assert!(said.contains(words), "{include}: {said}");
    }
}

fn with(text: &str) -> Result<GatewayConfig, ConfigErrors> {
    parse(&format!("{LISTENER}{text}"), Path::new("gateway.toml"))
}

#[test]
fn a_reference_to_the_environment_becomes_what_its_key_wants() {
    let config = parse(
        "[server]\nworkers = \"${GW_NOT_SET:-3}\"\n[listener.public]\naddress = \"127.0.0.1:${GW_NOT_SET:-8080}\"\n\
         [admin]\nenabled = \"${GW_NOT_SET:-false}\"\n[upstream.u]\ntargets = [{ url = \"http://${CARGO_PKG_NAME}\" }]\n\
         connect_timeout = \"${GW_NOT_SET:-7s}\"\n",
        Path::new("gateway.toml"),
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.workers, 3);
    assert!(config.admin.is_none());
    let shown = serde_json::to_string(&config).unwrap();
    assert!(
        shown.contains("gatewright-config") && shown.contains("127.0.0.1:8080"),
        "{shown}"
    );
}

#[test]
fn what_a_reference_stands_for_is_checked_as_if_it_were_written() {
    for (text, words) in [
        (
            "[server]\nworkers = \"${GW_NOT_SET:-four}\"\n",
            "gateway.toml:4:11: server.workers: expected a whole number",
        ),
        (
            "[server]\nworkers = \"${GW_NOT_SET:-four}\"\n",
            "the value comes from `${GW_NOT_SET:-four}`",
        ),
        (
            "[server]\nworkers = \"${GW_NOT_SET:-true}\"\n",
            "expected a whole number",
        ),
        (
            "[server]\nworkers = \"${GW_NOT_SET}\"\n",
            "server.workers: the environment variable `GW_NOT_SET` is not set",
        ),
        (
            "[server]\ndrain_delay = \"${GW_NOT_SET\"\n",
            "a reference to the environment is not closed",
        ),
    ] {
        let errors = with(text).unwrap_err();
        assert_eq!(errors.errors.len(), 1, "{errors}");
        assert!(errors.to_string().contains(words), "{errors}");
    }
}

#[test]
fn a_secret_from_the_environment_is_in_no_message_and_in_nothing_that_is_shown() {
    // It is where a reference must be, and in a URL that cannot be one.
    for text in [
        "[admin]\ntoken = \"${GW_TOKEN:-hunter2}\"\n",
        "[redis]\nservers = [\"redis://:${GW_PASSWORD:-hunter2}@ho st:1\"]\n",
        "[upstream.u]\ntargets = [{ url = \"ftp://${GW_SECRET:-hunter2}\" }]\n",
    ] {
        let errors = with(text).unwrap_err().to_string();
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    let text = format!(
        "{LISTENER}[plugin.p]\n[[route]]\nname = \"a\"\npath = \"/a\"\n\
         chain = [{{ use = \"headers\", request = {{ set = {{ authorization = \"Bearer ${{GW_UPSTREAM:-hunter2}}\", x-region = \
         \"${{GW_REGION:-eu}}\", x-api-key = \"in-the-file\" }} }} }}]\nintegration = {{ respond = 200 }}\n"
    );
    let folder = folder(&[("gateway.toml", &text)]);
    let shown = shown(&main_file(&folder)).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!shown.contains("hunter2") && !shown.contains("in-the-file"), "{shown}");
    assert!(shown.contains("authorization = \"Bearer ${GW_UPSTREAM}\""), "{shown}");
    assert!(shown.contains("x-region = \"eu\""), "{shown}");
    let config = load(&main_file(&folder)).unwrap();
    assert!(!format!("{:?}", config.hidden).contains("Bearer hunter2"));
    assert_eq!(
        config.hidden.hide("it was Bearer hunter2."),
        "it was Bearer ${GW_UPSTREAM}."
    );
}

#[test]
fn what_results_of_all_files_is_shown_with_where_it_is_from() {
    let main = format!("include = [\"routes.toml\"]\n[server]\nworkers = \"${{GW_NOT_SET:-2}}\"\n{LISTENER}");
    let folder = folder(&[("gateway.toml", &main), ("routes.toml", &route("a"))]);
    let prefix = format!("{}/", folder.path().display());
    let shown = shown(&main_file(&folder)).unwrap().replace(&prefix, "");
    assert_eq!(
        shown,
        "[server] # gateway.toml:2\nworkers = 2\n\n[listener.public] # gateway.toml:4\naddress = \"127.0.0.1:1\"\n\n\
         [[route]] # routes.toml:1\nname = \"a\"\npath = \"/a\"\nintegration = { respond = 200 }\n"
    );
    toml::from_str::<toml::Table>(&shown).unwrap();
}

#[test]
fn what_serves_and_is_probably_not_meant_is_a_warning() {
    let warnings = |text: &str| -> Vec<String> {
        let folder = folder(&[("gateway.toml", &format!("{LISTENER}{text}"))]);
        let Loaded { config, warnings, .. } = load_all(&main_file(&folder));
        config.unwrap_or_else(|errors| panic!("{errors}"));
        warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    let routes = |lines: &[(&str, &str)]| -> Vec<String> {
        let route = |(name, lines): &(&str, &str)| {
            format!("[[route]]\nname = \"{name}\"\n{lines}\nintegration = {{ respond = 200 }}\n")
        };
        warnings(&lines.iter().map(route).collect::<String>())
    };
    let contains = |warnings: &[String], words: &str| {
        assert_eq!(warnings.len(), 1, "{words}: {warnings:?}");
        assert!(warnings[0].contains(words), "{words}: {warnings:?}");
    };
    contains(&warnings(""), "there are no routes");
    contains(&routes(&[("a", "path = \"/{rest+}\"")]), "serves every path but `/`");
    assert!(routes(&[("a", "path = \"/{rest+}\""), ("b", "path = \"/\"")]).is_empty());
    assert!(routes(&[("a", "path = \"/{rest*}\"")]).is_empty());
    contains(
        &routes(&[("a", "path = \"/a\"\nmethods = [\"TRACE\"]")]),
        "can never match: its methods",
    );
    contains(
        &routes(&[("a", "path = \"/a\"\nheaders = { upgrade = true }")]),
        "belongs to the connection",
    );
    let any = ("any", "path = \"/a\"\nheaders = { x-v = true }");
    let two = ("two", "path = \"/a\"\nheaders = { x-v = \"2\" }");
    contains(
        &routes(&[any, two]),
        "route `two` can never match: route `any` at line 3 comes first",
    );
    assert!(routes(&[two, any]).is_empty());
    let whole = [
        ("one", "path = \"/a\""),
        ("two", "path = \"/a/\""),
        ("three", "path = \"/a/{x+}\""),
    ];
    contains(
        &routes(&[whole[0], whole[1], whole[2], ("all", "path = \"/a/{rest*}\"")]),
        "route `all` can never match",
    );
    assert!(routes(&[whole[0], whole[2], ("all", "path = \"/a/{rest*}\"")]).is_empty());
    contains(
        &routes(&[("a", "path = \"/a\"\nchain = [{ use = \"usage-plan\" }]")]),
        "whose plan it is",
    );
    let plugins = "[plugins]\ndirectory = \".\"\n[[route]]\nname = \"a\"\npath = \"/a\"\nchain = [{ plugin = \"auth\" }]\n\
                   integration = { respond = 200 }\n";
    contains(
        &warnings(&format!("{plugins}[plugin.auht]\ntime = \"1s\"\n")),
        "no route uses a plugin of that name",
    );
    contains(
        &warnings(&format!("{plugins}[kv.sessions]\nbytes = \"1MiB\"\n")),
        "it is granted to no plugin",
    );
    assert!(warnings(&format!("{plugins}[plugin.auth]\ntime = \"1s\"\n")).is_empty());
}

#[test]
fn an_attribute_that_no_stage_sets_is_warned_of_where_it_is_named() {
    const JWT: &str = "{ use = \"jwt\", jwks = \"https://idp.example.com/keys\", audiences = [\"a\"] }";
    let text = |log: &str, chain: &str, integration: &str| {
        format!(
            "{LISTENER}[access_log]\nfields = [{log}]\n[plugins]\ndirectory = \".\"\n[upstream.app]\n\
             targets = [{{ url = \"http://127.0.0.1:1\" }}]\n\
             [[route]]\nname = \"a\"\npath = \"/a\"\nchain = [{chain}]\nintegration = {{ {integration} }}\n"
        )
    };
    let warnings = |text: &str| -> Vec<String> {
        let folder = folder(&[("gateway.toml", text)]);
        let Loaded { config, warnings, .. } = load_all(&main_file(&folder));
        config.unwrap_or_else(|errors| panic!("{errors}"));
        warnings.iter().map(ToString::to_string).collect()
    };
    let headers = |edits: &str| format!("{{ use = \"headers\", {edits} }}");
    let set = |part: &str, value: &str| headers(&format!("{part} = {{ set = {{ x-a = \"{value}\" }} }}"));
    let (respond, log) = ("respond = 200", "\"route\"");
    for (log, chain, integration, place, name) in [
        (
            log,
            set("request", "{auth.tenant}"),
            respond,
            "route[0].chain[0]",
            "auth.tenant",
        ),
        (
            log,
            set("response", "{auth.tenant}"),
            respond,
            "route[0].chain[0]",
            "auth.tenant",
        ),
        // A request has not passed what comes after.
        (
            log,
            format!("{}, {JWT}", set("request", "{auth.claims.tenant}")),
            respond,
            "route[0].chain[0]",
            "auth.claims.tenant",
        ),
        (
            log,
            "{ use = \"rewrite\", query = { set = { a = \"{correlation.id}\" } } }".to_owned(),
            "http = \"app\"",
            "route[0].chain[0]",
            "correlation.id",
        ),
        (
            log,
            "{ plugin = \"rate\" }".to_owned(),
            "http = \"app\", headers = { x-a = \"{plugin.rater.tier}\" }",
            "route[0].integration",
            "plugin.rater.tier",
        ),
        (
            log,
            JWT.to_owned(),
            "respond = 200, headers = { x-a = \"{auth.tenant}\" }",
            "route[0].integration",
            "auth.tenant",
        ),
        (
            "\"auth.tenant\"",
            JWT.to_owned(),
            respond,
            "access_log.fields[0]",
            "auth.tenant",
        ),
        (
            "\"route\", \"plugin.a.b\"",
            String::new(),
            respond,
            "access_log.fields[1]",
            "plugin.a.b",
        ),
    ] {
        let said = warnings(&text(log, &chain, integration));
        assert_eq!(said.len(), 1, "{chain}: {said:?}");
        for part in [
            format!(": {place}: no stage"),
            format!("`{name}`"),
            "\n  hint: ".to_owned(),
        ] {
            assert!(said[0].contains(&part), "{part} is not in: {}", said[0]);
        }
    }
    for (log, chain, integration) in [
        // A response has passed the whole chain.
        (
            log,
            format!("{}, {JWT}", set("response", "{auth.claims.tenant}")),
            respond,
        ),
        (
            log,
            format!("{JWT}, {}", set("request", "{auth.claims.tenant} {auth.scopes}")),
            respond,
        ),
        // A plugin may be an authorizer, which names what it says as it likes, or something else.
        (
            "\"plugin.rate.tier\", \"auth.tenant\"",
            "{ plugin = \"rate\" }".to_owned(),
            "http = \"app\", headers = { x-a = \"{plugin.rate.tier} {auth.anything}\" }",
        ),
        ("\"correlation.id\"", "{ use = \"correlation-id\" }".to_owned(), respond),
    ] {
        assert_eq!(warnings(&text(log, &chain, integration)), [""; 0], "{chain}");
    }
    // A chain is good for all routes when it is for one of them.
    let shared = |second: &str| {
        format!(
            "{LISTENER}[chain]\ntell = [{}]\nsigned = [{JWT}]\n\
             [[route]]\nname = \"a\"\npath = \"/a\"\nchain = [\"tell\"]\nintegration = {{ respond = 200 }}\n\
             [[route]]\nname = \"b\"\npath = \"/b\"\nchain = [{second}\"tell\"]\nintegration = {{ respond = 200 }}\n",
            set("request", "{auth.claims.tenant}")
        )
    };
    assert_eq!(warnings(&shared("\"signed\", ")), [""; 0]);
    let said = warnings(&shared(""));
    assert_eq!(said.len(), 1, "once, and not for each route: {said:?}");
    assert!(said[0].contains("chain.tell[0]"), "{}", said[0]);
}
