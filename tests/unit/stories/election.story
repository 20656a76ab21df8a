# Three new nodes. The one that loses patience first asks all others in parallel, and leads (5.2).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> patience 2 120
> run 125
     1.665 ms  node 1  answers of the NIC path are delivered, node 2 says
     1.665 ms  node 3  answers of the NIC path are delivered, node 2 says
     1.665 ms  node 2  answers of the NIC path are delivered, node 3 says
   120.015 ms  node 2  g0: asks whether it would win term 1: no leader heard since this node started
   120.015 ms  node 2  prevote request to node 1: g0 term 1
   120.015 ms  node 2  prevote request to node 3: g0 term 1
   120.290 ms  node 1  prevote answer to node 2: g0 term 1, granted 1
   120.290 ms  node 3  prevote answer to node 2: g0 term 1, granted 1
   120.565 ms  node 2  to disk: g0 term 1 vote 2
   120.565 ms  node 2  g0: starts an election for term 1: no leader heard since this node started
   120.565 ms  node 2  vote request to node 1: g0 term 1
   120.565 ms  node 2  vote request to node 3: g0 term 1
   120.840 ms  node 1  to disk: g0 term 1 vote 2
   120.840 ms  node 3  to disk: g0 term 1 vote 2
   121.065 ms  node 2  on disk: g0 term 1 vote 2
   121.080 ms  node 2  view NONE: g0 term 1 leader 0
   121.340 ms  node 1  on disk: g0 term 1 vote 2
   121.340 ms  node 3  on disk: g0 term 1 vote 2
   121.355 ms  node 1  view NONE: g0 term 1 leader 0
   121.355 ms  node 1  g0: votes for node 2 in term 1
   121.355 ms  node 1  vote answer to node 2: g0 term 1, granted 1
   121.355 ms  node 3  view NONE: g0 term 1 leader 0
   121.355 ms  node 3  g0: votes for node 2 in term 1
   121.355 ms  node 3  vote answer to node 2: g0 term 1, granted 1
   121.630 ms  node 2  view LEAD: g0 term 1 leader 2
   121.630 ms  node 2  g0: leads in term 1, 1.1 ms after its election started
   121.905 ms  node 1  view FOLLOW: g0 term 1 leader 2
   121.905 ms  node 1  g0: follows node 2 in term 1
   121.905 ms  node 3  view FOLLOW: g0 term 1 leader 2
   121.905 ms  node 3  g0: follows node 2 in term 1
> status
node 1: follower, term 1, leader 2, voted for 2
node 2: leader, term 1, leader 2, voted for 2, its lease holds
node 3: follower, term 1, leader 2, voted for 2
