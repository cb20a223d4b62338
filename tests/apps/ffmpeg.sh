#!/bin/sh
# SPDX-License-Identifier: MIT
# ffmpeg's OpenCL filters against its filters on the CPU, on whatever OpenCL the environment gives.
#
#   ffmpeg.sh [FILTER...]
#
# Each filter's pictures are compared with the CPU filter's (the PSNR must reach the filter's own bound) and with the
# unfiltered source (it must be below that, so that a filter that does nothing fails). Prints `ffmpeg FILTER: PSNR dB to the
# CPU's, PSNR dB to the source, md5 SUM`; the sums of two drivers of one kind may be compared. Exits 0 if all were right.
set -u
all='transpose pad erosion dilation overlay convolution avgblur boxblur unsharp'
# shellcheck disable=SC2086  # a list of names
[ $# -gt 0 ] || set -- $all
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work" XDG_CACHE_HOME="$work/cache"
failed=0
box='1 1 1 1 1 1 1 1 1'
kernels="$box:$box:$box:$box:1/9:1/9:1/9:1/9"

# inf: the same to the bit. The other bounds: what rounding costs, two to six dB below what PoCL shows on Debian 12.
arguments() { # FILTER: sets on_cpu, on_device, bound_db
	on_cpu="" on_device=""
	case $1 in
	transpose) on_cpu=transpose=clock on_device=transpose_opencl=dir=clock bound_db=inf ;;
	pad) on_cpu=pad=400:300:40:30 on_device=pad_opencl=400:300:40:30 bound_db=inf ;;
	erosion) on_cpu=erosion on_device=erosion_opencl bound_db=inf ;;
	dilation) on_cpu=dilation on_device=dilation_opencl bound_db=inf ;;
	convolution) on_cpu="convolution=$kernels" on_device="convolution_opencl=$kernels" bound_db=46 ;;
	avgblur) on_cpu=avgblur=sizeX=5 on_device=avgblur_opencl=sizeX=5 bound_db=40 ;;
	boxblur) on_cpu=boxblur=2 on_device=boxblur_opencl=2 bound_db=48 ;;
	unsharp) on_cpu=unsharp=lx=5:ly=5:la=1 on_device=unsharp_opencl=lx=5:ly=5:la=1 bound_db=44 ;;
	overlay) bound_db=inf ;;
	*) return 1 ;;
	esac
}

run() { # FILTER
	source='testsrc2=size=320x240:rate=5:duration=1,format=yuv420p'
	small='testsrc=size=80x60:rate=5:duration=1,format=yuv420p'
	if [ "$1" = overlay ]; then
		graph="[0:v]split=3[a][b][s]; [1:v]split[x][y]; [a][x]overlay=32:16:format=yuv420,format=yuv420p[cpu];
			[b]hwupload[hb]; [y]hwupload[hy]; [hb][hy]overlay_opencl=32:16,hwdownload,format=yuv420p,split=3[d1][d2][d3]"
	else
		graph="[0:v]split=3[a][b][s]; [a]$on_cpu,format=yuv420p[cpu]; [b]hwupload,$on_device,hwdownload,format=yuv420p,split=3[d1][d2][d3]"
	fi
	# The device's pictures may have another size than the source.
	graph="$graph; [cpu][d1]psnr@same[o1]; [d2]scale=320:240[d4]; [s][d4]psnr@changed[o2]"
	ffmpeg -hide_banner -nostdin -init_hw_device opencl=ocl -filter_hw_device ocl -f lavfi -i "$source" -f lavfi -i "$small" \
		-filter_complex "$graph" -map '[o1]' -f null - -map '[o2]' -f null - -map '[d3]' -f md5 "$work/md5" >"$work/said" 2>&1
}
psnr() { sed -n "s/.*psnr@$1 .*average:\\([0-9.inf]*\\).*/\\1/p" "$work/said"; }
reaches() { awk -v is="$1" -v bound="$2" 'BEGIN { exit !(is == "inf" || (bound != "inf" && is + 0 >= bound + 0 && is != "")) }'; }

for filter in "$@"; do
	arguments "$filter" || { echo "no test '$filter'"; exit 2; }
	rm -f "$work/md5"
	run "$filter"
	status=$?
	same=$(psnr same) changed=$(psnr changed) sum=$(sed -n 's/^MD5=//p' "$work/md5" 2>/dev/null)
	echo "ffmpeg $filter: ${same:-no} dB to the CPU's, ${changed:-no} dB to the source, md5 ${sum:-none}"
	if [ $status -ne 0 ] || [ -z "$sum" ] || [ -z "$changed" ] || ! reaches "$same" "$bound_db" ||
		reaches "$changed" "$([ "$bound_db" = inf ] && echo 40 || echo "$bound_db")"; then
		echo "its status is $status, its bound is $bound_db dB; it said:"
		grep -iE 'error|fail|invalid|psnr|cannot' "$work/said" | tail -n 12
		failed=1
	fi
done
exit $failed
