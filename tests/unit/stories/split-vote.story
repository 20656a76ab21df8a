# Two nodes lose patience at the same instant, and each has its own vote only: nobody wins the term
# (5.2). A later one ends it, since timeouts are drawn anew.
> nodes 2
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
> run 10
     1.665 ms  node 1  answers of the NIC path are delivered, node 2 says
     1.665 ms  node 2  answers of the NIC path are delivered, node 1 says
> patience 1 110
> patience 2 110
> run 101
   110.015 ms  node 1  g0: asks whether it would win term 1: no leader heard since this node started
   110.015 ms  node 1  prevote request to node 2: g0 term 1
   110.015 ms  node 2  g0: asks whether it would win term 1: no leader heard since this node started
   110.015 ms  node 2  prevote request to node 1: g0 term 1
   110.290 ms  node 2  prevote answer to node 1: g0 term 1, granted 1
   110.290 ms  node 1  prevote answer to node 2: g0 term 1, granted 1
   110.565 ms  node 1  to disk: g0 term 1 vote 1
   110.565 ms  node 1  g0: starts an election for term 1: no leader heard since this node started
   110.565 ms  node 1  vote request to node 2: g0 term 1
   110.565 ms  node 2  to disk: g0 term 1 vote 2
   110.565 ms  node 2  g0: starts an election for term 1: no leader heard since this node started
   110.565 ms  node 2  vote request to node 1: g0 term 1
   110.840 ms  node 2  g0: refuses node 1 its vote for term 1: voted for node 2 in this term
   110.840 ms  node 2  vote answer to node 1: g0 term 1, granted 0
   110.840 ms  node 1  g0: refuses node 2 its vote for term 1: voted for node 1 in this term
   110.840 ms  node 1  vote answer to node 2: g0 term 1, granted 0
> run 2
   111.065 ms  node 1  on disk: g0 term 1 vote 1
   111.065 ms  node 2  on disk: g0 term 1 vote 2
   111.080 ms  node 1  view NONE: g0 term 1 leader 0
   111.080 ms  node 2  view NONE: g0 term 1 leader 0
> patience 1 130
> patience 2 170
> run 140
   241.095 ms  node 1  g0: asks whether it would win term 2: nobody won term 1 in 131 ms
   241.095 ms  node 1  prevote request to node 2: g0 term 2
   241.370 ms  node 2  prevote answer to node 1: g0 term 2, granted 1
   241.645 ms  node 1  to disk: g0 term 2 vote 1
   241.645 ms  node 1  g0: starts an election for term 2: nobody won term 1 in 131 ms
   241.645 ms  node 1  vote request to node 2: g0 term 2
   241.920 ms  node 2  to disk: g0 term 2 vote 1
   242.145 ms  node 1  on disk: g0 term 2 vote 1
   242.160 ms  node 1  view NONE: g0 term 2 leader 0
   242.420 ms  node 2  on disk: g0 term 2 vote 1
   242.435 ms  node 2  view NONE: g0 term 2 leader 0
   242.435 ms  node 2  g0: votes for node 1 in term 2
   242.435 ms  node 2  vote answer to node 1: g0 term 2, granted 1
   242.710 ms  node 1  view LEAD: g0 term 2 leader 1
   242.710 ms  node 1  g0: leads in term 2, 1.1 ms after its election started
   242.985 ms  node 2  view FOLLOW: g0 term 2 leader 1
   242.985 ms  node 2  g0: follows node 1 in term 2
> status
node 1: leader, term 2, leader 1, voted for 1, its lease holds
node 2: follower, term 2, leader 1, voted for 1
