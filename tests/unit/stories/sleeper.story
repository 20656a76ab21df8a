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
  1065.090 ms  node 2  g0: asks whether it would win term 2: no heartbeat from node 1 for 110 ms
  1065.090 ms  node 2  prevote request to node 1: g0 term 2
  1065.090 ms  node 2  prevote request to node 3: g0 term 2
  1065.365 ms  node 3  prevote answer to node 2: g0 term 2, granted 1
  1065.640 ms  node 2  view NONE: g0 term 1 leader 0
  1065.640 ms  node 2  to disk: g0 term 2 vote 2
  1065.640 ms  node 2  g0: starts an election for term 2: no heartbeat from node 1 for 110 ms
  1065.640 ms  node 2  vote request to node 1: g0 term 2
  1065.640 ms  node 2  vote request to node 3: g0 term 2
  1065.915 ms  node 3  view NONE: g0 term 1 leader 0
  1065.915 ms  node 3  to disk: g0 term 2 vote 2
  1066.140 ms  node 2  on disk: g0 term 2 vote 2
  1066.155 ms  node 2  view NONE: g0 term 2 leader 0
  1066.415 ms  node 3  on disk: g0 term 2 vote 2
  1066.430 ms  node 3  view NONE: g0 term 2 leader 0
  1066.430 ms  node 3  g0: votes for node 2 in term 2
  1066.430 ms  node 3  vote answer to node 2: g0 term 2, granted 1
  1066.705 ms  node 2  view LEAD: g0 term 2 leader 2
  1066.705 ms  node 2  g0: leads in term 2, 1.1 ms after its election started
  1066.980 ms  node 3  view FOLLOW: g0 term 2 leader 2
  1066.980 ms  node 3  g0: follows node 2 in term 2
  2020.000 ms  node 1  the event loop stood still for 1520 ms, longer than the stall limit, after which this node answered nobody
  2020.000 ms  node 1  view NONE: g0 term 1 leader 0
  2020.000 ms  node 1  g0: no longer leads in term 1: the event loop of this node stood still for 1520 ms
  2020.000 ms  node 1  to disk: g0 term 2 vote 2
  2020.000 ms  node 1  prevote answer to node 2: g0 term 2, granted 1
  2020.000 ms  node 1  resignation to node 2: g0 term 1, heir 2
  2020.000 ms  node 1  resignation to node 3: g0 term 1, heir 2
  2021.000 ms  node 1  on disk: g0 term 2 vote 2
  2021.015 ms  node 1  view FOLLOW: g0 term 2 leader 2
  2021.015 ms  node 1  g0: votes for node 2 in term 2
  2021.015 ms  node 1  g0: follows node 2 in term 2
  2021.015 ms  node 1  vote answer to node 2: g0 term 2, granted 1
> status
node 1: follower, term 2, leader 2, voted for 2
node 2: leader, term 2, leader 2, voted for 2, its lease holds
node 3: follower, term 2, leader 2, voted for 2
