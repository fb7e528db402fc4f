//! From a file, the environment and flags to one checked configuration.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{
    ConfigError, KEYS, Key, NodeConfig, check,
    keys::{self, ENVIRONMENT_PREFIX},
};

/// What stands above the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Environment variables; those of other programs are passed over.
    pub environment: BTreeMap<String, String>,
    /// `key=value` from the command line, the strongest; a list's values are separated by commas.
    pub flags: Vec<String>,
}

impl Overrides {
    /// This process's environment, and these flags.
    #[must_use]
    pub fn from_process(flags: &[String]) -> Self {
        // Other programs' variables need not be Unicode; ours are, or they are no values.
        let unicode = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        let ours = unicode.filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
        Self { environment: ours.collect(), flags: flags.to_vec() }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody named it.
    Default,
    /// A line of the file, counted from 1.
    File(usize),
    /// An environment variable.
    Environment(String),
    /// `--set`.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(line) => write!(f, "line {line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// A checked configuration that still knows where its values come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file, absolute.
    pub file: PathBuf,
    /// The effective values; paths are absolute.
    pub config: NodeConfig,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Where the value of the key at `path` comes from.
    #[must_use]
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }

    /// Each key with its effective value, in the order of [`KEYS`]; a key without one is null.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static Key, Value)> {
        let all = serde_json::to_value(&self.config).expect("every value of a configuration has a JSON form");
        let value = |key: &Key| all.pointer(&format!("/{}", key.path.replace('.', "/"))).cloned();
        KEYS.iter().map(|key| (key, value(key).unwrap_or(Value::Null))).collect()
    }

    /// Checks that the genesis file and those of the node's identity are there.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        check::check_files(self)
    }

    /// An error about the value of the key at `path`, at the place that it comes from.
    pub(super) fn wrong(&self, path: &str, what: impl Into<String>, todo: impl Into<String>) -> ConfigError {
        let (what, todo) = (format!("{path}: {}", what.into()), todo.into());
        match self.origin(path) {
            Origin::File(line) => ConfigError::Line { file: self.file.clone(), line: *line, what, todo },
            other => ConfigError::Elsewhere { place: other.to_string(), what, todo },
        }
    }
}

/// Reads and checks the configuration of one node.
///
/// # Errors
/// The first thing that is wrong: where it stands, what it is, and what to do.
pub fn load(file: &Path, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let unreadable = |source| ConfigError::Read { file: file.to_owned(), source };
    let file = fs::canonicalize(file).map_err(unreadable)?;
    let text = fs::read_to_string(&file).map_err(unreadable)?;
    let mut origins = check_file(&file, &text)?;
    let environment = known_variables(&overrides.environment)?;
    let flags = known_flags(&overrides.flags)?;
    origins.extend(environment.iter().map(|(key, _)| (key.path, Origin::Environment(key.variable()))));
    origins.extend(flags.iter().map(|(key, _)| (key.path, Origin::Flag)));

    let mut config = layer(&text, &environment, &flags)?;
    let folder = file.parent().expect("a file that was read stands in a folder");
    make_absolute(&mut config, folder);
    let loaded = Loaded { file, config, origins };
    check::check(&loaded)?;
    Ok(loaded)
}

/// Checks the file alone, so that what is wrong in it is named with its line, and returns where each
/// of its keys stands.
fn check_file(file: &Path, text: &str) -> Result<BTreeMap<&'static str, Origin>, ConfigError> {
    let at = |offset: usize, what: String, todo: String| ConfigError::Line {
        file: file.to_owned(),
        line: line_of(text, offset),
        what,
        todo,
    };
    let from_toml = |error: &toml::de::Error, todo: &str| {
        at(error.span().map_or(0, |span| span.start), error.message().to_owned(), todo.to_owned())
    };
    let table = DeTable::parse(text).map_err(|error| from_toml(&error, "correct the syntax (TOML 1.0)"))?;
    let mut origins = BTreeMap::new();
    for (offset, path, value) in paths(table.get_ref()) {
        if let Some(key) = keys::find(&path) {
            origins.insert(key.path, Origin::File(line_of(text, offset)));
        } else if !(keys::is_section(&path) && matches!(value, DeValue::Table(_))) {
            return Err(at(offset, format!("unknown key `{path}`"), suggestion(&path)));
        }
    }
    match toml::from_str::<NodeConfig>(text) {
        Ok(_) => Ok(origins),
        Err(error) => {
            Err(from_toml(&error, "correct the value; `testnet new` writes a file with every key explained"))
        }
    }
}

/// Each key and section of the file with its offset and path, sections before what is in them.
fn paths<'t>(table: &'t DeTable<'t>) -> Vec<(usize, String, &'t DeValue<'t>)> {
    let mut found = Vec::new();
    for (name, value) in table {
        found.push((name.span().start, name.get_ref().to_string(), value.get_ref()));
        if let DeValue::Table(section) = value.get_ref() {
            let below = |(key, value): (&'t toml::Spanned<_>, &'t toml::Spanned<DeValue<'t>>)| {
                (key.span().start, format!("{}.{}", name.get_ref(), key.get_ref()), value.get_ref())
            };
            found.extend(section.iter().map(below));
        }
    }
    found.sort_by_key(|it| it.0);
    found
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn suggestion(path: &str) -> String {
    match keys::nearest(path) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "remove it; what all nodes must agree on belongs into the genesis file".to_owned(),
    }
}

type Values = Vec<(&'static Key, String)>;

fn known_variables(environment: &BTreeMap<String, String>) -> Result<Values, ConfigError> {
    let ours = environment.iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
    let known = ours.map(|(name, value)| match KEYS.iter().find(|key| key.variable() == *name) {
        Some(key) => Ok((key, value.clone())),
        None => {
            let path = name[ENVIRONMENT_PREFIX.len()..].to_lowercase().replace("__", ".");
            let todo = keys::nearest(&path)
                .and_then(keys::find)
                .map_or_else(|| "unset it".to_owned(), |near| format!("did you mean {}?", near.variable()));
            Err(ConfigError::Elsewhere {
                place: format!("environment variable {name}"),
                what: "no such key".to_owned(),
                todo,
            })
        }
    });
    known.collect()
}

fn known_flags(flags: &[String]) -> Result<Values, ConfigError> {
    let wrong = |flag: &str, what: &str, todo: String| ConfigError::Elsewhere {
        place: format!("--set {flag}"),
        what: what.to_owned(),
        todo,
    };
    let known = flags.iter().map(|flag| {
        let (path, value) = flag
            .split_once('=')
            .ok_or_else(|| wrong(flag, "no value", "write --set KEY=VALUE".to_owned()))?;
        let key = keys::find(path).ok_or_else(|| wrong(flag, "no such key", suggestion(path)))?;
        Ok((key, value.to_owned()))
    });
    known.collect()
}

/// Default < file < environment < flag. The file has passed on its own, so an error here is about a
/// value from the environment or a flag.
fn layer(text: &str, environment: &Values, flags: &Values) -> Result<NodeConfig, ConfigError> {
    let layered = || -> Result<NodeConfig, config::ConfigError> {
        let variables = environment.iter().map(|(key, value)| (key.variable(), value.clone())).collect();
        let mut source = config::Environment::with_prefix("QUORATE")
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables))
            .try_parsing(true)
            .ignore_empty(true)
            .list_separator(",");
        for key in KEYS.iter().filter(|key| key.list) {
            source = source.with_list_parse_key(key.path);
        }
        let mut builder = config::Config::builder()
            .add_source(config::Config::try_from(&NodeConfig::default())?)
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .add_source(source);
        for (key, value) in flags {
            builder = match key.list {
                true => builder.set_override(key.path, split(value))?,
                false => builder.set_override(key.path, value.as_str())?,
            };
        }
        builder.build()?.try_deserialize()
    };
    layered().map_err(|error| {
        let names = environment.iter().map(|(key, _)| key.variable());
        let names: Vec<_> = names.chain(flags.iter().map(|(key, _)| format!("--set {}", key.path))).collect();
        ConfigError::Elsewhere {
            place: names.join(", "),
            what: error.to_string(),
            todo: "correct the value, or leave it to the file".to_owned(),
        }
    })
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// One rule for all layers: a relative path is relative to the file.
fn make_absolute(config: &mut NodeConfig, folder: &Path) {
    let NodeConfig { genesis, data_dir, identity, log, .. } = config;
    let single = [genesis, data_dir, &mut identity.key, &mut identity.certificate, &mut identity.ca];
    for path in single.into_iter().chain(&mut identity.crls).chain(&mut log.directory) {
        *path = folder.join(&*path);
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
