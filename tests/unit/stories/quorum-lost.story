# A leader that no majority answers: first its lease ends, then it steps down by itself (rule 12).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> isolate 1
> run 90
> status
node 1: leader, term 1, leader 1, voted for 1
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
> patience 2 110
> run 200
   290.290 ms  node 2  g0: asks whether it would win term 2: no heartbeat from node 1 for 110 ms
   290.290 ms  node 2  prevote request to node 1: g0 term 2
   290.290 ms  node 2  prevote request to node 3: g0 term 2
   290.565 ms  node 3  prevote answer to node 2: g0 term 2, granted 1
   290.840 ms  node 2  view NONE: g0 term 1 leader 0
   290.840 ms  node 2  to disk: g0 term 2 vote 2
   290.840 ms  node 2  g0: starts an election for term 2: no heartbeat from node 1 for 110 ms
   290.840 ms  node 2  vote request to node 1: g0 term 2
   290.840 ms  node 2  vote request to node 3: g0 term 2
   291.115 ms  node 3  view NONE: g0 term 1 leader 0
   291.115 ms  node 3  to disk: g0 term 2 vote 2
   291.340 ms  node 2  on disk: g0 term 2 vote 2
   291.355 ms  node 2  view NONE: g0 term 2 leader 0
   291.615 ms  node 3  on disk: g0 term 2 vote 2
   291.630 ms  node 3  view NONE: g0 term 2 leader 0
   291.630 ms  node 3  g0: votes for node 2 in term 2
   291.630 ms  node 3  vote answer to node 2: g0 term 2, granted 1
   291.905 ms  node 2  view LEAD: g0 term 2 leader 2
   291.905 ms  node 2  g0: leads in term 2, 1.1 ms after its election started
   292.180 ms  node 3  view FOLLOW: g0 term 2 leader 2
   292.180 ms  node 3  g0: follows node 2 in term 2
   400.015 ms  node 1  view NONE: g0 term 1 leader 0
   400.015 ms  node 1  g0: no longer leads in term 1: no majority has answered for 217 ms
   400.015 ms  node 1  resignation to node 2: g0 term 1, heir 2
   400.015 ms  node 1  resignation to node 3: g0 term 1, heir 2
> status
node 1: follower, term 1, leader 0, voted for 1
node 2: leader, term 2, leader 2, voted for 2, its lease holds
node 3: follower, term 2, leader 2, voted for 2
