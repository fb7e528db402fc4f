//! Sizes of files and functions, unsafe code, unwrap.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Block, ExprMethodCall, ExprUnsafe, ImplItemFn, Item, ItemFn, ItemForeignMod, ItemImpl,
    ItemMod, Macro, Signature, TraitItemFn,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use crate::graph::Graph;

const MAX_FILE_LINES: usize = 500;
const LONG_FILE_LINES: usize = 300;
const MAX_FUNCTION_LINES: usize = 100;
const LONG_FUNCTION_LINES: usize = 70;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What fails.
    pub(crate) errors: Vec<String>,
    /// What is only shown.
    pub(crate) notes: Vec<String>,
}

impl Report {
    pub(crate) fn extend(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.notes.extend(other.notes);
    }

    fn size(&mut self, what: &str, lines: usize, long: usize, max: usize) {
        let message = format!("{what}: {lines} lines");
        match lines {
            _ if lines > max => self.errors.push(format!("{message}, at most {max}")),
            _ if lines > long => self.notes.push(message),
            _ => (),
        }
    }
}

/// The source files of the workspace, and whether a file is a test as a whole.
pub(crate) fn files(graph: &Graph) -> Vec<(PathBuf, bool)> {
    let mut found = Vec::new();
    for folder in graph.members().filter_map(|(_, member)| member.folder.as_ref()) {
        // A member may stand in another's folder, so only what cargo builds is read.
        for (name, in_test) in [("src", false), ("tests", true), ("benches", true), ("examples", false)] {
            walk(&folder.join(name), &mut |file| {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                found.push((file.clone(), in_test || stem == "tests" || stem.ends_with("_tests")));
            });
        }
        let build = folder.join("build.rs");
        found.extend(build.exists().then_some((build, false)));
    }
    found
}

fn walk(folder: &Path, each: &mut impl FnMut(PathBuf)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            walk(&path, each);
        } else if path.extension().is_some_and(|it| it == "rs") {
            each(path);
        }
    }
}

/// Reads one file.
pub(crate) fn check(name: &str, text: &str, in_test: bool) -> Report {
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(error) => return Report { errors: vec![format!("{name}: {error}")], ..Report::default() },
    };
    let mut reader = Reader { name, in_test, report: Report::default() };
    if !in_test {
        let tests: usize = file.items.iter().filter(|item| is_test(attributes(item))).map(lines_of).sum();
        let lines = text.lines().count() - tests;
        reader.report.size(name, lines, LONG_FILE_LINES, MAX_FILE_LINES);
    }
    reader.visit_file(&file);
    reader.report
}

fn lines_of(item: &impl syn::spanned::Spanned) -> usize {
    let span = item.span();
    span.end().line - span.start().line + 1
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, `#[test]` and `#[tokio::test]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let last = attribute.path().segments.last().map(|it| it.ident.to_string());
        let only_in_tests = || attribute.parse_args::<syn::Path>().is_ok_and(|it| it.is_ident("test"));
        match last.as_deref() {
            Some("test") => true,
            Some("cfg") => only_in_tests(),
            _ => false,
        }
    })
}

struct Reader<'n> {
    name: &'n str,
    in_test: bool,
    report: Report,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, what: &str) {
        self.report.errors.push(format!("{}:{}: {what}", self.name, span.start().line));
    }

    fn function(&mut self, whole: Span, signature: &Signature, block: Option<&Block>) {
        if signature.unsafety.is_some() {
            self.error(whole, "unsafe function");
        }
        if let Some(block) = block.filter(|_| !self.in_test) {
            let lines = block.span().end().line - signature.span().start().line + 1;
            let what = format!("{}:{}: fn {}", self.name, whole.start().line, signature.ident);
            self.report.size(&what, lines, LONG_FUNCTION_LINES, MAX_FUNCTION_LINES);
        }
    }

    /// Reads what stands below `attributes` as a test when they say so.
    fn within(&mut self, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= is_test(attributes);
        read(self);
        self.in_test = before;
    }

    /// Macros are not parsed; their tokens are searched.
    fn tokens(&mut self, tokens: TokenStream) {
        let all: Vec<_> = tokens.into_iter().collect();
        for (index, token) in all.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "unsafe" => self.error(word.span(), "unsafe in a macro"),
                TokenTree::Ident(word) if word == "unwrap" && !self.in_test => {
                    let dot = index.checked_sub(1).and_then(|before| all.get(before));
                    let called = matches!(dot, Some(TokenTree::Punct(dot)) if dot.as_char() == '.');
                    let bare =
                        matches!(all.get(index + 1), Some(TokenTree::Group(it)) if it.stream().is_empty());
                    if called && bare {
                        self.error(word.span(), "unwrap in a macro");
                    }
                }
                _ => (),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, it: &'ast ItemMod) {
        self.within(&it.attrs, |this| visit::visit_item_mod(this, it));
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.within(&it.attrs, |this| {
            this.function(it.span(), &it.sig, Some(&it.block));
            visit::visit_item_fn(this, it);
        });
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        self.within(&it.attrs, |this| {
            this.function(it.span(), &it.sig, Some(&it.block));
            visit::visit_impl_item_fn(this, it);
        });
    }

    fn visit_trait_item_fn(&mut self, it: &'ast TraitItemFn) {
        self.function(it.span(), &it.sig, it.default.as_ref());
        visit::visit_trait_item_fn(self, it);
    }

    fn visit_item_impl(&mut self, it: &'ast ItemImpl) {
        if it.unsafety.is_some() {
            self.error(it.span(), "unsafe impl");
        }
        self.within(&it.attrs, |this| visit::visit_item_impl(this, it));
    }

    fn visit_item_foreign_mod(&mut self, it: &'ast ItemForeignMod) {
        self.error(it.span(), "foreign functions");
    }

    fn visit_expr_unsafe(&mut self, it: &'ast ExprUnsafe) {
        self.error(it.span(), "unsafe block");
        visit::visit_expr_unsafe(self, it);
    }

    fn visit_expr_method_call(&mut self, it: &'ast ExprMethodCall) {
        if !self.in_test && it.method == "unwrap" && it.args.is_empty() {
            self.error(it.method.span(), "unwrap: return the error, or say in expect() why it cannot be");
        }
        visit::visit_expr_method_call(self, it);
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        self.tokens(it.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        check("bad.rs", text, false).errors
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let lines = "const A: u8 = 0;\n".repeat(499);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{lines}}}\n");
        assert!(errors(&format!("{lines}{tests}")).is_empty());
        assert_eq!(errors(&format!("{lines}{lines}")), ["bad.rs: 998 lines, at most 500"]);
        assert_eq!(check("long.rs", &lines, false).notes, ["long.rs: 499 lines"]);
        assert!(check("test.rs", &format!("{lines}{lines}"), true).errors.is_empty());
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let body = |lines: usize| "    step();\n".repeat(lines);
        let long = format!("fn long() {{\n{}}}\n", body(99));
        assert_eq!(errors(&long), ["bad.rs:1: fn long: 101 lines, at most 100"]);
        assert_eq!(errors(&format!("impl A {{ {long} }}")).len(), 1);
        assert_eq!(errors(&format!("trait A {{ {long} }}")).len(), 1);
        assert!(errors(&format!("fn short() {{\n{}}}\n", body(98))).is_empty());
        assert_eq!(check("a.rs", &format!("fn longish() {{\n{}}}\n", body(70)), false).notes.len(), 1);
        // What is written above a function does not make it long.
        assert!(
            errors(&format!("{}fn documented() {{\n{}}}\n", "/// Word.\n".repeat(50), body(60))).is_empty()
        );
    }

    #[test]
    fn unsafe_code_is_found_in_tests_too() {
        for text in [
            "fn a() { unsafe { b() } }",
            "unsafe fn a() {}",
            "unsafe impl A for B {}",
            "extern \"C\" { fn a(); }",
            "fn a() { m!(unsafe { b() }) }",
            "#[cfg(test)] mod tests { #[test] fn a() { unsafe { b() } } }",
        ] {
            assert_eq!(errors(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn unwrap_is_found_outside_of_tests() {
        for text in ["fn a() { b().unwrap(); }", "fn a() { format!(\"{}\", b().unwrap()); }"] {
            assert_eq!(errors(text).len(), 1, "{text}");
        }
        for text in [
            "fn a() { b().unwrap_or(1); c.unwrap(2); unwrap(); }",
            "#[cfg(test)] mod tests { fn a() { b().unwrap(); } }",
            "#[tokio::test] async fn a() { b().unwrap(); }",
        ] {
            assert!(errors(text).is_empty(), "{text}");
        }
    }
}
