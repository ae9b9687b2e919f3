//! A list of grants that is asked which of them match a topic, however many there are.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::levels::{Levels, finish, hash};
use crate::{Grant, Permissions};

/// Grants in their order, with an index over the levels of their patterns if there are many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    list: Box<[Grant]>,
    index: Option<Box<Index>>,
}

/// So many are compared one after the other: sooner done, and most devices have no more.
const FEW: usize = 6;

impl Rules {
    pub(crate) fn new(list: &[Grant]) -> Self {
        let index = (list.len() > FEW).then(|| Box::new(Index::new(list)));
        Self { list: list.into(), index }
    }

    pub(crate) fn list(&self) -> &[Grant] {
        &self.list
    }

    /// A grant that matches and carries something of `wanted`.
    pub(crate) fn find(&self, wanted: Permissions, topic: &str, levels: &Levels<'_>) -> Option<usize> {
        match &self.index {
            Some(index) => index.find(wanted, levels, &self.list, ROOT, 0),
            None => self
                .list
                .iter()
                .position(|grant| grant.permissions.intersects(wanted) && grant.pattern.matches(topic)),
        }
    }

    /// Everything that grants which match carry together.
    pub(crate) fn union(&self, topic: &str, levels: &Levels<'_>) -> Permissions {
        let mut all = Permissions::NONE;
        for permission in Permissions::EACH {
            if self.find(permission, topic, levels).is_some() {
                all |= permission;
            }
        }
        all
    }
}

/// A tree over the levels of patterns. What is below a node is known, so that only paths are followed on which
/// something wanted can be found.
#[derive(Clone, Debug)]
struct Index {
    nodes: Vec<Node>,
    /// The children of all nodes by a level's text.
    edges: HashTable<Edge>,
    /// Of each grant the next one with the same pattern.
    next: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The child that any level leads to.
    plus: u32,
    /// The first grant whose pattern ends here, and the first with a `#` here.
    exact: u32,
    rest: u32,
    /// What those carry, and what is carried here and below.
    exact_permissions: Permissions,
    rest_permissions: Permissions,
    below: Permissions,
}

/// From a node to the one for a level with some text, which is part of a grant's pattern.
#[derive(Clone, Copy, Debug)]
struct Edge {
    parent: u32,
    child: u32,
    grant: u32,
    start: u8,
    end: u8,
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

impl Node {
    const EMPTY: Self = Self {
        plus: NONE,
        exact: NONE,
        rest: NONE,
        exact_permissions: Permissions::NONE,
        rest_permissions: Permissions::NONE,
        below: Permissions::NONE,
    };
}

impl Edge {
    fn text<'g>(&self, list: &'g [Grant]) -> &'g str {
        let pattern = list.get(self.grant as usize).map_or("", |grant| grant.pattern.as_str());
        pattern.get(usize::from(self.start)..usize::from(self.end)).unwrap_or("")
    }
}

impl Index {
    fn new(list: &[Grant]) -> Self {
        let mut index = Self { nodes: alloc::vec![Node::EMPTY], edges: HashTable::new(), next: Vec::new() };
        for number in 0..list.len() as u32 {
            index.add(number, list);
        }
        index
    }

    fn add(&mut self, number: u32, list: &[Grant]) {
        let Some(grant) = list.get(number as usize) else { return };
        let permissions = grant.permissions;
        let (mut at, mut start, mut rest) = (ROOT, 0, false);
        self.carry(at, permissions);
        for level in grant.pattern.as_str().split('/') {
            let end = start + level.len();
            match level {
                "#" => rest = true,
                "+" => at = self.plus(at),
                // Patterns are no longer than 255 bytes.
                _ => {
                    let edge =
                        Edge { parent: at, child: NONE, grant: number, start: start as u8, end: end as u8 };
                    at = self.child(edge, level, list);
                }
            }
            start = end + 1;
            self.carry(at, permissions);
        }
        // The first of several with the same pattern stays the first.
        let Some(node) = self.nodes.get_mut(at as usize) else { return };
        let (head, held) = match rest {
            true => (&mut node.rest, &mut node.rest_permissions),
            false => (&mut node.exact, &mut node.exact_permissions),
        };
        *held |= permissions;
        let first = *head;
        self.next.push(NONE);
        if first == NONE {
            *head = number;
            return;
        }
        let mut last = first;
        while let Some(&next) = self.next.get(last as usize).filter(|next| **next != NONE) {
            last = next;
        }
        if let Some(next) = self.next.get_mut(last as usize) {
            *next = number;
        }
    }

    fn carry(&mut self, node: u32, permissions: Permissions) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.below |= permissions;
        }
    }

    fn grow(&mut self) -> u32 {
        self.nodes.push(Node::EMPTY);
        (self.nodes.len() - 1) as u32
    }

    fn plus(&mut self, at: u32) -> u32 {
        let known = self.nodes.get(at as usize).map_or(NONE, |node| node.plus);
        if known != NONE {
            return known;
        }
        let grown = self.grow();
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.plus = grown;
        }
        grown
    }

    fn child(&mut self, edge: Edge, level: &str, list: &[Grant]) -> u32 {
        let text_hash = hash(level);
        if let Some(known) = self.step(edge.parent, level, text_hash, list) {
            return known;
        }
        let child = self.grow();
        let rehash = |edge: &Edge| key(edge.parent, hash(edge.text(list)));
        self.edges.insert_unique(key(edge.parent, text_hash), Edge { child, ..edge }, rehash);
        child
    }

    fn step(&self, parent: u32, level: &str, text_hash: u64, list: &[Grant]) -> Option<u32> {
        let is_it = |edge: &Edge| edge.parent == parent && edge.text(list) == level;
        self.edges.find(key(parent, text_hash), is_it).map(|edge| edge.child)
    }

    /// As deep as names are.
    fn find(
        &self,
        wanted: Permissions,
        levels: &Levels<'_>,
        list: &[Grant],
        at: u32,
        depth: usize,
    ) -> Option<usize> {
        let node = self.nodes.get(at as usize).filter(|node| node.below.intersects(wanted))?;
        if node.rest_permissions.intersects(wanted) {
            return self.first(node.rest, wanted, list);
        }
        if depth == levels.count() {
            let here = node.exact_permissions.intersects(wanted);
            return if here { self.first(node.exact, wanted, list) } else { None };
        }
        let (level, text_hash) = levels.level(depth)?;
        self.step(at, level, text_hash, list)
            .and_then(|child| self.find(wanted, levels, list, child, depth + 1))
            .or_else(|| self.find(wanted, levels, list, node.plus, depth + 1))
    }

    fn first(&self, head: u32, wanted: Permissions, list: &[Grant]) -> Option<usize> {
        let mut number = head;
        while let Some(grant) = list.get(number as usize) {
            if grant.permissions.intersects(wanted) {
                return Some(number as usize);
            }
            number = *self.next.get(number as usize)?;
        }
        None
    }
}

const fn key(parent: u32, text_hash: u64) -> u64 {
    finish(text_hash ^ (parent as u64) << 32)
}
