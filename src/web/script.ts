/**
 * The page is whole without it: it shows the buttons that copy, where the browser lets a page do so (the
 * clipboard is there over HTTPS and on the own machine only).
 */
export const script =
  'if(navigator.clipboard)for(const b of document.querySelectorAll("button[data-copy]")){' +
  'b.hidden=false;b.onclick=()=>navigator.clipboard.writeText(b.dataset.copy).then(' +
  '()=>{b.textContent="Copied";setTimeout(()=>{b.textContent="Copy"},1500)},()=>{})}';
