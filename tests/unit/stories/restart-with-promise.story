# All power is lost and the maps with it. A node that may have acked a leader a moment before gives
# nobody its vote until it has waited for D (rule 6); what is on disk it has not forgotten.
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> reboot 2
> reboot 3
> isolate 1
> start 2
   200.000 ms  node 2  daemon starts
   200.000 ms  node 2  view NONE: g0 term 1 leader 0
> start 3
   200.000 ms  node 3  daemon starts
   200.000 ms  node 3  view NONE: g0 term 1 leader 0
> patience 2 20
> run 90
   201.665 ms  node 2  answers of the NIC path are delivered, node 3 says
   201.665 ms  node 3  answers of the NIC path are delivered, node 2 says
> status
node 1: leader, term 1, leader 1, voted for 1
node 2: follower, term 1, leader 0, voted for 1
node 3: follower, term 1, leader 0, voted for 1
> run 30
   300.015 ms  node 2  g0: asks whether it would win term 2: no leader heard since this node started
   300.015 ms  node 2  prevote request to node 3: g0 term 2
   300.290 ms  node 3  prevote answer to node 2: g0 term 2, granted 1
   300.565 ms  node 2  to disk: g0 term 2 vote 2
   300.565 ms  node 2  g0: starts an election for term 2: no leader heard since this node started
   300.565 ms  node 2  vote request to node 3: g0 term 2
   300.840 ms  node 3  to disk: g0 term 2 vote 2
   301.065 ms  node 2  on disk: g0 term 2 vote 2
   301.080 ms  node 2  view NONE: g0 term 2 leader 0
   301.340 ms  node 3  on disk: g0 term 2 vote 2
   301.355 ms  node 3  view NONE: g0 term 2 leader 0
   301.355 ms  node 3  g0: votes for node 2 in term 2
   301.355 ms  node 3  vote answer to node 2: g0 term 2, granted 1
   301.630 ms  node 2  view LEAD: g0 term 2 leader 2
   301.630 ms  node 2  g0: leads in term 2, 1.1 ms after its election started
   301.905 ms  node 3  view FOLLOW: g0 term 2 leader 2
   301.905 ms  node 3  g0: follows node 2 in term 2
> status
node 1: leader, term 1, leader 1, voted for 1
node 2: leader, term 2, leader 2, voted for 2, its lease holds
node 3: follower, term 2, leader 2, voted for 2
