//! A tree of parents, up and down which packets go.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::network::{LinkReport, NodeConfig, NodeId};

/// For each node the next one on its way to the border router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    parents: Vec<Option<NodeId>>,
}

/// Links on which fewer frames survive are left alone.
const WORST_PRR: f64 = 0.1;
/// One transmission, in thousandths, so that sums are exact.
const BEST_LINK: u64 = 1_000;

impl Tree {
    /// Everyone next to the border router.
    pub(crate) fn star(nodes: usize) -> Self {
        Self { parents: (0..nodes).map(|node| (node > 0).then_some(NodeId(0))).collect() }
    }

    /// These parents; `None` if they go in a circle or name nobody.
    pub(crate) fn of(parents: Vec<Option<NodeId>>) -> Option<Self> {
        let tree = Self { parents };
        let nodes = tree.parents.len();
        let known = tree.parents.iter().flatten().all(|parent| parent.index() < nodes);
        (known && (0..nodes).all(|node| tree.depth(NodeId(node as u16)) < nodes)).then_some(tree)
    }

    fn depth(&self, node: NodeId) -> usize {
        std::iter::successors(self.parent(node), |&node| self.parent(node)).take(self.parents.len()).count()
    }

    /// The tree of fewest expected transmissions, `1 / (prr there * prr back)` a link (Dijkstra).
    pub(crate) fn shortest(nodes: &[NodeConfig], links: &[LinkReport]) -> Self {
        let mut out: Vec<Vec<&LinkReport>> = vec![Vec::new(); nodes.len()];
        links.iter().for_each(|link| out[link.from.index()].push(link));
        let back = |link: &LinkReport| {
            let row = &out[link.to.index()];
            row.binary_search_by_key(&link.from, |back| back.to).map_or(0.0, |place| row[place].prr)
        };
        let mut parents = vec![None; nodes.len()];
        let mut costs = vec![u64::MAX; nodes.len()];
        let mut heap = BinaryHeap::from([Reverse((0_u64, NodeId(0)))]);
        if let Some(root) = costs.first_mut() {
            *root = 0;
        }
        while let Some(Reverse((cost, node))) = heap.pop() {
            if cost > costs[node.index()] || !(node == NodeId(0) || nodes[node.index()].role.forwards()) {
                continue;
            }
            for link in &out[node.index()] {
                let to = link.to.index();
                // No link is better than one that never fails: most need not be looked at.
                if cost + BEST_LINK >= costs[to] {
                    continue;
                }
                let both = link.prr * back(link);
                if both < WORST_PRR {
                    continue;
                }
                let through = cost + (BEST_LINK as f64 / both) as u64;
                if through < costs[to] {
                    costs[to] = through;
                    parents[to] = Some(node);
                    heap.push(Reverse((through, link.to)));
                }
            }
        }
        Self { parents }
    }

    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.parents.get(node.index()).copied().flatten()
    }

    /// The next node on the way: down if the target is below, up otherwise.
    pub(crate) fn next_hop(&self, node: NodeId, target: NodeId) -> Option<NodeId> {
        let mut below = target;
        while let Some(parent) = self.parent(below) {
            if parent == node {
                return Some(below);
            }
            below = parent;
        }
        self.parent(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_go_down_where_the_target_is_below_and_up_otherwise() {
        //   0 - 1 - 2 - 3
        //        \- 4
        let parents = [None, Some(0), Some(1), Some(2), Some(1)].map(|parent| parent.map(NodeId));
        let tree = Tree::of(parents.to_vec()).unwrap();
        let hop = |from, to| tree.next_hop(NodeId(from), NodeId(to)).map(|node| node.0);
        assert_eq!(
            [hop(0, 3), hop(1, 3), hop(3, 4), hop(2, 4), hop(1, 4)].map(Option::unwrap),
            [1, 2, 2, 1, 4]
        );
        assert_eq!(hop(4, 0), Some(1));
    }

    #[test]
    fn circles_are_refused() {
        let circle = [None, Some(2), Some(1)].map(|parent| parent.map(NodeId));
        assert_eq!(Tree::of(circle.to_vec()), None);
    }

    #[test]
    fn two_good_links_beat_a_bad_one() {
        let link =
            |from, to, prr| LinkReport { from: NodeId(from), to: NodeId(to), rssi_dbm: 0.0, prr, etx: None };
        let links = [(0, 1, 1.0), (0, 2, 0.5), (1, 0, 1.0), (1, 2, 1.0), (2, 0, 0.5), (2, 1, 1.0)]
            .map(|(from, to, prr)| link(from, to, prr));
        let tree = Tree::shortest(&vec![NodeConfig::default(); 3], &links);
        assert_eq!(tree.parent(NodeId(2)), Some(NodeId(1)));
        assert_eq!(tree.parent(NodeId(1)), Some(NodeId(0)));
    }
}
