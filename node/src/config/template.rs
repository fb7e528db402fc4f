//! The file that an operator edits: every key with its meaning and its default.

use std::fmt::Write as _;

use serde_json::Value;

use super::{KEYS, Key, NodeConfig};

/// How wide a comment may be.
const COMMENT_WIDTH: usize = 100;

/// The text of a file that says `config`: each key with its meaning, its default and its value. A key
/// without a value stands commented out, with an example.
#[must_use]
pub fn render(config: &NodeConfig) -> String {
    let (values, defaults) = (to_value(config), to_value(&NodeConfig::default()));
    let mut text = String::from(
        "# The configuration of one node. Relative paths are relative to this file. Each key can also be\n\
         # given as an environment variable, such as QUORATE__RPC__LISTEN, or a flag, --set rpc.listen=...,\n\
         # which both win over this file. What all nodes must agree on is in the genesis file.\n\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            let _ = write!(text, "\n[{section}]\n");
        }
        write_key(&mut text, key, at(&values, key), at(&defaults, key));
    }
    text
}

fn write_key(text: &mut String, key: &Key, value: Option<&Value>, default: Option<&Value>) {
    let standard = default.map_or_else(|| "none".to_owned(), literal);
    for line in wrap(&format!("{} Default: {standard}.", key.meaning)) {
        let _ = writeln!(text, "# {line}");
    }
    let name = key.name();
    let _ = match value {
        Some(value) => writeln!(text, "{name} = {}", literal(value)),
        None => writeln!(text, "# {name} = {}", key.example),
    };
}

fn to_value(config: &NodeConfig) -> Value {
    serde_json::to_value(config).expect("every value of a configuration has a JSON form")
}

fn at<'v>(values: &'v Value, key: &Key) -> Option<&'v Value> {
    values.pointer(&format!("/{}", key.path.replace('.', "/")))
}

/// JSON's strings, integers and lists of strings are TOML's as well; a list is broken by item.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) if items.len() > 1 => {
            let items: Vec<_> = items.iter().map(|item| format!("    {item},\n")).collect();
            format!("[\n{}]", items.concat())
        }
        other => other.to_string(),
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.len() + 1 + word.len() > COMMENT_WIDTH {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rendered_file_says_what_it_was_rendered_from() {
        let mut config = NodeConfig::default();
        config.rpc.listen.push("127.0.0.1:8545".parse().expect("an address"));
        config.p2p.peers = vec!["node1@127.0.0.1:30301".parse().expect("a peer")];
        config.p2p.advertise = Some("node0.example.org:1".parse().expect("an address"));
        config.log.directory = Some("node0/logs".into());
        let text = render(&config);
        assert_eq!(toml::from_str::<NodeConfig>(&text).expect("it parses"), config);
    }

    #[test]
    fn every_key_stands_under_its_meaning_and_every_example_is_sound() {
        let mut text = render(&NodeConfig::default());
        for key in KEYS {
            let first_words = &key.meaning[..20];
            assert!(text.contains(&format!("# {first_words}")), "{}", key.path);
            text = text.replace(&format!("\n# {} = ", key.name()), &format!("\n{} = ", key.name()));
        }
        let config: NodeConfig = toml::from_str(&text).expect("every example is sound");
        assert!(config.p2p.advertise.is_some() && config.log.directory.is_some());
    }
}
