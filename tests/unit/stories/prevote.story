# A node that is cut off asks in vain whether it would win (9.6): its term does not grow, and when it
# is back it disturbs nobody.
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> isolate 3
> run 250
   324.994 ms  node 3  g0: asks whether it would win term 2: no heartbeat from node 1 for 145 ms
   324.994 ms  node 3  prevote request to node 1: g0 term 2
   324.994 ms  node 3  prevote request to node 2: g0 term 2
   341.675 ms  node 3  prevote request to node 1: g0 term 2
   341.675 ms  node 3  prevote request to node 2: g0 term 2
   358.372 ms  node 3  prevote request to node 1: g0 term 2
   358.372 ms  node 3  prevote request to node 2: g0 term 2
   391.765 ms  node 3  prevote request to node 1: g0 term 2
   391.765 ms  node 3  prevote request to node 2: g0 term 2
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
> heal
> run 60
   458.552 ms  node 3  prevote request to node 1: g0 term 2
   458.552 ms  node 3  prevote request to node 2: g0 term 2
   458.827 ms  node 1  prevote answer to node 3: g0 term 1, granted 0
   458.827 ms  node 2  prevote answer to node 3: g0 term 1, granted 0
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
