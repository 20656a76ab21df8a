# Node 3 claims a term that node 1 leads. A follower that hears it stops at once, and says all that it
# knows: going on would make it worse (rule 14).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> claim 3 2 term 1
> run 2
   200.275 ms  node 2  view NONE: g0 term 1 leader 0
   200.275 ms  node 2  g0: TWO LEADERS IN TERM 1: node 3 says it leads, but node 1 does (this node: vote 1, role 0). A node lost its state or shares an id. Stopping; keep state and all logs
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: down
node 3: follower, term 1, leader 1, voted for 1
