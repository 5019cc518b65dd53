#!/bin/sh
# What a slow Linux machine lacks, on one page. Reads only; needs nothing but /proc and ps.
set -u
LC_ALL=C
export LC_ALL

echo "machine"
printf '  %s, %s cores, up %s\n' "$(uname -srm)" "$(nproc)" "$(awk '{printf "%.1f days", $1/86400}' /proc/uptime)"
printf '  load %s\n' "$(cut -d' ' -f1-4 /proc/loadavg)"
echo

echo "pressure (share of time somebody waited, per cent)"
for what in cpu io memory; do
  if [ -r "/proc/pressure/$what" ]; then
    awk -v what="$what" '$1 == "some" {sub(/total=.*/, ""); print "  " what, $2, $3, $4}' "/proc/pressure/$what"
  else
    echo "  $what: this kernel does not tell"
  fi
done
echo

# Two readings of the counters, three seconds apart.
first=$(grep '^cpu ' /proc/stat)
swap_first=$(awk '/^pswp(in|out)/ {s += $2} END {print s + 0}' /proc/vmstat)
sleep 3
last=$(grep '^cpu ' /proc/stat)
swap_last=$(awk '/^pswp(in|out)/ {s += $2} END {print s + 0}' /proc/vmstat)
echo "cpu over three seconds"
printf '%s\n%s\n' "$first" "$last" | awk '
  NR == 1 {for (i = 2; i <= 9; i++) a[i] = $i}
  NR == 2 {for (i = 2; i <= 9; i++) {d[i] = $i - a[i]; all += d[i]}
    if (all == 0) all = 1
    printf "  user %d%%  system %d%%  idle %d%%  disk wait (wa) %d%%  steal (st) %d%%\n",
      100*(d[2]+d[3])/all, 100*(d[4]+d[7]+d[8])/all, 100*d[5]/all, 100*d[6]/all, 100*d[9]/all}'
echo

echo "memory"
awk '/^(MemTotal|MemAvailable|SwapTotal|SwapFree):/ {v[$1] = $2/1024} END {
  printf "  available %d of %d MiB, swap used %d of %d MiB\n",
    v["MemAvailable:"], v["MemTotal:"], v["SwapTotal:"]-v["SwapFree:"], v["SwapTotal:"]}' /proc/meminfo
echo "  pages swapped in three seconds: $((swap_last - swap_first))"
echo

echo "disk"
df -hP 2>/dev/null | awk 'NR > 1 && $5 + 0 >= 85 {print "  " $5 " full: " $6}'
ps -eo stat=,pid=,wchan:24=,args= | awk '$1 ~ /^D/ {print "  waiting: " $0}' | cut -c1-120 | head -10
echo

echo "most cpu"
ps -eo pid=,user=,pcpu=,rss=,etime=,args= --sort=-pcpu | head -5 | cut -c1-130 | sed 's/^/  /'
echo "most memory (kB in the fourth column)"
ps -eo pid=,user=,pcpu=,rss=,etime=,args= --sort=-rss | head -5 | cut -c1-130 | sed 's/^/  /'
