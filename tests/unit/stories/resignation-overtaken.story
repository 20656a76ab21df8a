# The heir's request comes before the resignation that it goes back to. It says of whom and of which
# term that was, which lifts the stickiness of a voter that heard that leader a moment ago; the
# resignation, when it comes, means nothing any more.
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> slow 1 2 5
> transfer 1 3
> run 12
   200.015 ms  node 1  view NONE: g0 term 1 leader 0
   200.015 ms  node 1  g0: no longer leads in term 1: asked to hand over to node 3
   200.015 ms  node 1  resignation to node 2: g0 term 1, heir 3
   200.015 ms  node 1  resignation to node 3: g0 term 1, heir 3
   200.290 ms  node 3  view NONE: g0 term 1 leader 0
   200.290 ms  node 3  g0: node 1 resigned term 1
   200.290 ms  node 3  to disk: g0 term 2 vote 3
   200.290 ms  node 3  g0: starts an election for term 2: node 1 resigned term 1
   200.290 ms  node 3  vote request to node 1: g0 term 2
   200.290 ms  node 3  vote request to node 2: g0 term 2
   200.565 ms  node 1  to disk: g0 term 2 vote 3
   200.565 ms  node 2  view NONE: g0 term 1 leader 0
   200.565 ms  node 2  to disk: g0 term 2 vote 3
   200.790 ms  node 3  on disk: g0 term 2 vote 3
   200.805 ms  node 3  view NONE: g0 term 2 leader 0
   201.065 ms  node 1  on disk: g0 term 2 vote 3
   201.065 ms  node 2  on disk: g0 term 2 vote 3
   201.080 ms  node 1  view NONE: g0 term 2 leader 0
   201.080 ms  node 1  g0: votes for node 3 in term 2
   201.080 ms  node 1  vote answer to node 3: g0 term 2, granted 1
   201.080 ms  node 2  view NONE: g0 term 2 leader 0
   201.080 ms  node 2  g0: votes for node 3 in term 2
   201.080 ms  node 2  vote answer to node 3: g0 term 2, granted 1
   201.355 ms  node 3  view LEAD: g0 term 2 leader 3
   201.355 ms  node 3  g0: leads in term 2, 1.1 ms after its election started
   201.630 ms  node 1  view FOLLOW: g0 term 2 leader 3
   201.630 ms  node 1  g0: follows node 3 in term 2
   201.630 ms  node 2  view FOLLOW: g0 term 2 leader 3
   201.630 ms  node 2  g0: follows node 3 in term 2
> status
node 1: follower, term 2, leader 3, voted for 3
node 2: follower, term 2, leader 3, voted for 3
node 3: leader, term 2, leader 3, voted for 3, its lease holds
