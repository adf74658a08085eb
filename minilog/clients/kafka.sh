# Sourced by scripts: locates Kafka 4.3.0 and runs its classes.
#
# $KAFKA_HOME names an unpacked download. Without it, `kafka_prepare` fetches the published jars from
# Maven Central into $KAFKA_CACHE, 55 MB.

kafka_libs=${KAFKA_HOME:+$KAFKA_HOME/libs}
kafka_libs=${kafka_libs:-$KAFKA_CACHE/libs}

# Short-lived tools do not need the second JIT compiler: without it one takes 2.1 s instead of 3.4.
kafka_options=(-Xmx512M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
    -Dlog4j2.configurationFile="$here/log4j2.properties")

# Makes sure that the jars exist.
kafka_prepare() {
    source "$here/need.sh"
    need java "get it with: apt-get install openjdk-17-jre-headless" || return 1
    compgen -G "$kafka_libs/kafka-clients-*.jar" >/dev/null && return
    if [ -n "${KAFKA_HOME:-}" ]; then
        echo "KAFKA_HOME=$KAFKA_HOME has no libs/kafka-clients-*.jar; unpack" \
            "kafka_2.13-4.3.0.tgz of https://kafka.apache.org/downloads there, or unset it" >&2
        return 1
    fi
    need mvn "get it with: apt-get install maven" || return 1
    mvn --quiet --batch-mode --file "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$KAFKA_CACHE/libs"
}

# kafka_class CLASS ARGUMENT...: runs the class. The subshell becomes the Java process, so that after
# `&` its process id is in `$!`.
kafka_class() (
    exec java "${kafka_options[@]}" -cp "$kafka_libs/*" "$@"
)

# kafka_properties PORT CONTROLLER_PORT DIRECTORY: the configuration of one broker on loopback.
kafka_properties() {
    cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
advertised.listeners=PLAINTEXT://127.0.0.1:$1
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$3
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=200
END
}
