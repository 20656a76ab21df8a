# A leader that is paused for less than the stall limit keeps its group: polls fetch its heartbeats
# from its NIC path (rule 8). Paused for longer it is replaced; on waking it fences first (rule 12).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> pause 1 300
> run 320
   500.000 ms  node 1  the event loop stood still for 300 ms; it asks before it acts: it did not get the CPU
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
> patience 2 110
> pause 1 1500
> run 1600
  1057.752 ms  node 3  g0: asks whether it would win term 2: no heartbeat from node 1 for 103 ms
  1057.752 ms  node 3  prevote request to node 1: g0 term 2
  1057.752 ms  node 3  prevote request to node 2: g0 term 2
  1058.027 ms  node 2  prevote answer to node 3: g0 term 2, granted 1
  1058.302 ms  node 3  view NONE: g0 term 1 leader 0
  1058.302 ms  node 3  to disk: g0 term 2 vote 3
  1058.302 ms  node 3  g0: starts an election for term 2: no heartbeat from node 1 for 103 ms
  1058.302 ms  node 3  vote request to node 1: g0 term 2
  1058.302 ms  node 3  vote request to node 2: g0 term 2
  1058.577 ms  node 2  view NONE: g0 term 1 leader 0
  1058.577 ms  node 2  to disk: g0 term 2 vote 3
  1058.802 ms  node 3  on disk: g0 term 2 vote 3
  1058.817 ms  node 3  view NONE: g0 term 2 leader 0
  1059.077 ms  node 2  on disk: g0 term 2 vote 3
  1059.092 ms  node 2  view NONE: g0 term 2 leader 0
  1059.092 ms  node 2  g0: votes for node 3 in term 2
  1059.092 ms  node 2  vote answer to node 3: g0 term 2, granted 1
  1059.367 ms  node 3  view LEAD: g0 term 2 leader 3
  1059.367 ms  node 3  g0: leads in term 2, 1.1 ms after its election started
  1059.642 ms  node 2  view FOLLOW: g0 term 2 leader 3
  1059.642 ms  node 2  g0: follows node 3 in term 2
  2020.000 ms  node 1  the event loop stood still for 1520 ms, longer than the stall limit, after which this node answered nobody
  2020.000 ms  node 1  view NONE: g0 term 1 leader 0
  2020.000 ms  node 1  g0: no longer leads in term 1: the event loop of this node stood still for 1520 ms
  2020.000 ms  node 1  to disk: g0 term 2 vote 3
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  prevote answer to node 3: g0 term 2, granted 1
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2021.000 ms  node 1  on disk: g0 term 2 vote 3
  2021.015 ms  node 1  view FOLLOW: g0 term 2 leader 3
  2021.015 ms  node 1  g0: votes for node 3 in term 2
  2021.015 ms  node 1  g0: follows node 3 in term 2
  2021.015 ms  node 1  vote answer to node 3: g0 term 2, granted 1
> status
node 1: follower, term 2, leader 3, voted for 3
node 2: follower, term 2, leader 3, voted for 3
node 3: leader, term 2, leader 3, voted for 3, its lease holds
