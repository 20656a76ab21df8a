# The leader's engine dies. Its warden fences, and only then resigns for it; the heir asks at once.
# The next engine starts after a pause and follows.
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> crash 1
> run 150
   200.100 ms  node 1  view NONE: g0 term 1 leader 0
   200.100 ms  node 1  resignation to node 2: g0 term 1, heir 2
   200.100 ms  node 1  resignation to node 3: g0 term 1, heir 2
   200.375 ms  node 2  view NONE: g0 term 1 leader 0
   200.375 ms  node 2  g0: node 1 resigned term 1
   200.375 ms  node 2  to disk: g0 term 2 vote 2
   200.375 ms  node 2  g0: starts an election for term 2: node 1 resigned term 1
   200.375 ms  node 2  vote request to node 1: g0 term 2
   200.375 ms  node 2  vote request to node 3: g0 term 2
   200.375 ms  node 3  view NONE: g0 term 1 leader 0
   200.375 ms  node 3  g0: node 1 resigned term 1
   200.650 ms  node 3  to disk: g0 term 2 vote 2
   200.875 ms  node 2  on disk: g0 term 2 vote 2
   200.890 ms  node 2  view NONE: g0 term 2 leader 0
   201.150 ms  node 3  on disk: g0 term 2 vote 2
   201.165 ms  node 3  view NONE: g0 term 2 leader 0
   201.165 ms  node 3  g0: votes for node 2 in term 2
   201.165 ms  node 3  vote answer to node 2: g0 term 2, granted 1
   201.440 ms  node 2  view LEAD: g0 term 2 leader 2
   201.440 ms  node 2  g0: leads in term 2, 1.1 ms after its election started
   201.715 ms  node 3  view FOLLOW: g0 term 2 leader 2
   201.715 ms  node 3  g0: follows node 2 in term 2
   320.290 ms  node 1  to disk: g0 term 2 vote 0
   320.790 ms  node 1  on disk: g0 term 2 vote 0
   320.805 ms  node 1  view FOLLOW: g0 term 2 leader 2
   320.805 ms  node 1  g0: follows node 2 in term 2
> status
node 1: follower, term 2, leader 2, voted for 0
node 2: leader, term 2, leader 2, voted for 2, its lease holds
node 3: follower, term 2, leader 2, voted for 2
