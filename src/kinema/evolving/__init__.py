"""The search for the weights of ELo's losses: candidates are trained briefly and judged without a label.

search      what to try next, from what was tried: pure functions of a seed and the history
candidate   one candidate: trained, clustered, judged; in a process of its own
engines     candidates side by side: processes of this machine, or Ray
history     what was tried, a file a candidate, so that a search that was stopped goes on
run         the loop
shown       the history as a table, CSV and a chart
"""
