# Node 3 claims a term that node 1 leads. A follower that hears it stops at once, and says all that it
# knows: going on would make it worse (rule 14).
> nodes 3
     0.000 ms  node 1  daemon starts
     0.000 ms  node 2  daemon starts
     0.000 ms  node 3  daemon starts
> elect 1
> claim 3 2 term 1
> run 2
> status
node 1: leader, term 1, leader 1, voted for 1, its lease holds
node 2: follower, term 1, leader 1, voted for 1
node 3: follower, term 1, leader 1, voted for 1
