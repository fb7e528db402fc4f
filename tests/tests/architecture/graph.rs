//! The crates of the workspace and what they depend on, from `cargo metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// One crate; several versions of one name are taken together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    /// The folder of a workspace member.
    pub(crate) folder: Option<PathBuf>,
    /// Its licences as it writes them; none: it names none.
    pub(crate) licences: BTreeSet<Option<String>>,
    /// What it is linked with, tests apart.
    pub(crate) links: BTreeSet<String>,
    /// Which features it asks of whom, tests apart.
    pub(crate) asks: Vec<(String, Vec<String>)>,
    /// What its default feature turns on.
    pub(crate) default: Vec<String>,
    /// The features that are on, over the whole workspace.
    pub(crate) enabled: BTreeSet<String>,
}

/// All crates by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph(pub(crate) BTreeMap<String, Crate>);

/// The folder of the workspace: above the crate's, where cargo runs tests.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| Path::new("..").canonicalize().expect("it is there"));
    &ROOT
}

impl Graph {
    pub(crate) fn read() -> Self {
        // For this platform alone: cargo would download the crates of all others otherwise.
        let metadata = MetadataCommand::new()
            .current_dir(root())
            .other_options(["--filter-platform".to_owned(), platform()])
            .exec()
            .expect("cargo metadata reads the workspace");
        Self::from_metadata(&metadata)
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let names: BTreeMap<_, _> =
            metadata.packages.iter().map(|it| (&it.id, it.name.to_string())).collect();
        let mut graph = Self::default();
        let of_product = |kind: DependencyKind| kind != DependencyKind::Development;
        for package in &metadata.packages {
            let entry = graph.0.entry(package.name.to_string()).or_default();
            entry.licences.insert(package.license.clone());
            entry.default.extend(package.features.get("default").cloned().unwrap_or_default());
            let asked = package.dependencies.iter().filter(|it| of_product(it.kind));
            entry.asks.extend(asked.map(|it| (it.name.clone(), it.features.clone())));
            if metadata.workspace_members.contains(&package.id) {
                entry.folder = package.manifest_path.parent().map(|it| it.as_std_path().to_owned());
            }
        }
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let entry = graph.0.get_mut(&names[&node.id]).expect("a resolved package is listed");
            entry.enabled.extend(node.features.iter().map(ToString::to_string));
            let linked = node.deps.iter().filter(|it| it.dep_kinds.iter().any(|kind| of_product(kind.kind)));
            entry.links.extend(linked.map(|it| names[&it.pkg].clone()));
        }
        graph
    }

    /// The members of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&String, &Crate)> {
        self.0.iter().filter(|(_, it)| it.folder.is_some())
    }

    /// All that a crate is linked with, directly or not, itself included.
    pub(crate) fn reach(&self, name: &str) -> BTreeSet<String> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(name) = next.pop() {
            if let Some(found) = self.0.get(&name).filter(|_| seen.insert(name.clone())) {
                next.extend(found.links.iter().cloned());
            }
        }
        seen
    }

    /// A graph made by hand: each crate with what it links; all of ours are members.
    pub(crate) fn sample(links: &[(&str, &[&str])]) -> Self {
        let mut graph = Self::default();
        for (name, linked) in links {
            let entry = graph.0.entry((*name).to_owned()).or_default();
            entry.links = linked.iter().map(|it| (*it).to_owned()).collect();
            entry.folder = name.starts_with("quorate-").then(PathBuf::new);
        }
        graph
    }
}

/// The platform that this compiler builds for.
fn platform() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc is there");
    let text = String::from_utf8(output.stdout).expect("rustc speaks UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    host.to_owned()
}
