pidof_ () 
{ 
    for p in $(pgrep -f -- "--name $1( |$)");
    do
        [[ "$(cat /proc/$p/comm)" == rematch* ]] && echo $p;
    done
}
cmd(){ T send-keys -t $1 Escape; sleep .2; T send-keys -t $1 -l ":$2"; sleep .4; T send-keys -t $1 Enter; sleep .4; }
