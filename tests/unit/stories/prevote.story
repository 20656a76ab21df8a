# A node that is cut off asks in vain whether it would win (9.6): its term does not grow, and when it
# is back it disturbs nobody.
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> isolate 3
> run 250
   282.952 ms  node 3  g0: asks whether it would win term 2: no heartbeat from node 1 for 103 ms
   282.952 ms  node 3  prevote request to node 1: g0 term 2
   282.952 ms  node 3  prevote request to node 2: g0 term 2
   299.634 ms  node 3  prevote request to node 1: g0 term 2
   299.634 ms  node 3  prevote request to node 2: g0 term 2
   316.331 ms  node 3  prevote request to node 1: g0 term 2
   316.331 ms  node 3  prevote request to node 2: g0 term 2
   349.724 ms  node 3  prevote request to node 1: g0 term 2
   349.724 ms  node 3  prevote request to node 2: g0 term 2
   416.511 ms  node 3  prevote request to node 1: g0 term 2
   416.511 ms  node 3  prevote request to node 2: g0 term 2
   436.296 ms  node 3  prevote request to node 1: g0 term 2
   436.296 ms  node 3  prevote request to node 2: g0 term 2
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
> heal
> run 60
   452.978 ms  node 3  prevote request to node 1: g0 term 2
   452.978 ms  node 3  prevote request to node 2: g0 term 2
   453.253 ms  node 1  prevote answer to node 3: g0 term 1, granted 0
   453.253 ms  node 2  prevote answer to node 3: g0 term 1, granted 0
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
