# A leader that no majority answers: first its lease ends, then it steps down by itself (rule 12).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> isolate 1
> run 90
   282.952 ms  node 3  g0: asks whether it would win term 2: no heartbeat from node 1 for 103 ms
   282.952 ms  node 3  prevote request to node 1: g0 term 2
   282.952 ms  node 3  prevote request to node 2: g0 term 2
   283.227 ms  node 2  prevote answer to node 3: g0 term 2, granted 1
   283.502 ms  node 3  view NONE: g0 term 1 leader 0
   283.502 ms  node 3  to disk: g0 term 2 vote 3
   283.502 ms  node 3  g0: starts an election for term 2: no heartbeat from node 1 for 103 ms
   283.502 ms  node 3  vote request to node 1: g0 term 2
   283.502 ms  node 3  vote request to node 2: g0 term 2
   283.777 ms  node 2  view NONE: g0 term 1 leader 0
   283.777 ms  node 2  to disk: g0 term 2 vote 3
   284.002 ms  node 3  on disk: g0 term 2 vote 3
   284.017 ms  node 3  view NONE: g0 term 2 leader 0
   284.277 ms  node 2  on disk: g0 term 2 vote 3
   284.292 ms  node 2  view NONE: g0 term 2 leader 0
   284.292 ms  node 2  g0: votes for node 3 in term 2
   284.292 ms  node 2  vote answer to node 3: g0 term 2, granted 1
   284.567 ms  node 3  view LEAD: g0 term 2 leader 3
   284.567 ms  node 3  g0: leads in term 2, 1.1 ms after its election started
   284.842 ms  node 2  view FOLLOW: g0 term 2 leader 3
   284.842 ms  node 2  g0: follows node 3 in term 2
> status
node 1: leader, term 1, leader 1, voted for 1
node 2: follower, term 2, leader 3, voted for 3
node 3: leader, term 2, leader 3, voted for 3, its lease holds
> patience 2 110
> run 200
   400.015 ms  node 1  view NONE: g0 term 1 leader 0
   400.015 ms  node 1  g0: no longer leads in term 1: no majority has answered for 217 ms
   400.015 ms  node 1  resignation to node 2: g0 term 1, heir 2
   400.015 ms  node 1  resignation to node 3: g0 term 1, heir 2
> status
node 1: follower, term 1, leader 0, voted for 1
node 2: follower, term 2, leader 3, voted for 3
node 3: leader, term 2, leader 3, voted for 3, its lease holds
